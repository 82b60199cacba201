"""What a finished run says of its costs."""

from pathlib import Path

import pytest
from lessons import assembled
from small_runs import configure

from imprint.verbs.train import train


@pytest.mark.parametrize(
    ("settings", "groups"),
    [
        (["method.roles=[denoiser,text]"], ["denoiser", "text"]),
        (["method=lora"], ["denoiser"]),
        (["method=textual_inversion", "dataset.identifier=auto"], ["words"]),
    ],
    ids=["dreambooth", "lora", "textual_inversion"],
)
def test_costs_are_those_of_what_was_trained_and_written(
    settings: list[str], groups: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    cfg = configure(tiny_sd, pictures, tmp_path, "hparams.steps=2", *settings)
    run = train(cfg)
    manifest = run.read()
    module = assembled(cfg)
    assert list(manifest.trained_parameters) == groups
    assert sum(manifest.trained_parameters.values()) == sum(weight.numel() for weight in module.trained())
    assert manifest.parameters == sum(weight.numel() for weight in module.model.parameters())
    files = {file.relative_to(run.result).as_posix(): file for file in run.result.rglob("*") if file.is_file()}
    assert manifest.result_files == {name: file.stat().st_size for name, file in files.items()}
    assert manifest.result_bytes == sum(manifest.result_files.values())
    assert manifest.training.seconds > 0
    assert manifest.training.peak_memory_bytes > 0
    assert manifest.training.steps == 2
