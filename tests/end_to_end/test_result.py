"""What was trained is what other programs draw with."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from composed import compose
from diffusers import StableDiffusionPipeline
from drawing import ROUNDING, distance, stock
from lessons import after_every_step, result_weights
from PIL import Image
from results import CLOSE, SEEDS, by_the_library
from small_runs import configure, losses
from tiny import tiny_pipeline

from imprint.errors import ConfigError
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.training.module import TrainingModule
from imprint.verbs.export import export
from imprint.verbs.generate import generate
from imprint.verbs.train import train

FILLED = ["a sks dog", "a cat on the beach"]  # the prompts of `drawn`

VARIANTS = {
    "denoiser": ("tiny_sd", []),
    "text": ("tiny_sd", ["method.roles=[denoiser,text]"]),
    "v": ("tiny_sd_v", ["method.roles=[denoiser,text]"]),
    "average": ("tiny_sd", ["hparams.ema=0.9"]),
    "bf16": ("tiny_sd", ["hparams.precision=bf16-mixed"]),
}


@pytest.fixture(scope="module", params=VARIANTS)
def trained(
    request: pytest.FixtureRequest, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Path]:
    """A finished run, and the model it began with."""
    name, settings = VARIANTS[request.param]
    model = request.getfixturevalue(name)
    # A rate at which six steps are seen in a picture.
    cfg = configure(model, pictures, tmp_path_factory.mktemp("runs"), "method.lr=2e-2", "hparams.clip=null", *settings)
    return train(cfg), model


def drawn(run: Run, folder: Path) -> list[Image.Image]:
    """What `imprint generate` makes, in the order of its index."""
    cfg = compose(
        "generate",
        [
            f"run={run.folder}",
            f"outputs={folder}",
            "prompt=['a {identifier} {noun}','a cat on the beach']",
            f"seeds={list(SEEDS)}",
            "scheduler=model",
            "steps=3",
            "guidance=4",
            "accelerator=cpu",
            "batch_size=3",
        ],
    )
    generate(cfg)
    index = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    assert [(entry["prompt"], entry["seed"]) for entry in index] == [
        (prompt, seed) for prompt in FILLED for seed in SEEDS
    ]
    return [Image.open(folder / entry["file"]) for entry in index]


def from_file(file: Path, configs: Path) -> StableDiffusionPipeline:
    return StableDiffusionPipeline.from_single_file(
        str(file), config=str(configs), local_files_only=True, safety_checker=None
    )


def test_the_stock_pipeline_draws_what_generate_draws(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, model = trained
    pictures = drawn(run, tmp_path)
    assert distance(pictures, by_the_library(stock(run.result), FILLED)) <= CLOSE
    # Otherwise this would prove nothing: the untuned model draws something else.
    assert distance(pictures, by_the_library(stock(model), FILLED)) > 10 * CLOSE


def test_a_single_file_is_read_back_to_the_same_pictures(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, model = trained
    file = export(compose("export", [f"run={run.folder}", "dtype=float32", f"out={tmp_path}/out.safetensors"]))
    assert file == tmp_path / "out.safetensors"
    expected = by_the_library(stock(run.result), FILLED)
    assert distance(by_the_library(from_file(file, model), FILLED), expected) <= ROUNDING


def test_the_card_names_words_and_settings_and_no_place_of_this_machine(trained: tuple[Run, Path]) -> None:
    run, model = trained
    card = (run.result / "README.md").read_text(encoding="utf-8")
    for expected in ("sks dog", "6 x 1", "dreambooth", model.name, run.signature, 'pipeline(prompt="a sks dog")'):
        assert expected in card.replace("'", '"')
    for place in (model.parent, run.folder.parent, Path.home(), Path.cwd()):
        assert str(place) not in card


def test_the_saved_weights_are_the_averaged_ones(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[dict[str, torch.Tensor]] = []

    def remember(trainer: object, module: TrainingModule) -> None:
        steps.append({name: weight.detach().clone() for name, weight in module.model.unet.named_parameters()})

    after_every_step(monkeypatch, remember)
    run = train(configure(tiny_sd, pictures, tmp_path, "hparams.ema=0.3", "method.lr=1e-2"))
    assert len(steps) == 6
    average = steps[0]  # the first updates count for more, so that the untuned weights are soon forgotten
    for number, weights in enumerate(steps[1:], start=1):
        decay = min(0.3, (1 + number) / (10 + number))
        average = {name: decay * average[name] + (1 - decay) * weight for name, weight in weights.items()}
    saved = result_weights(run)
    for name, weight in average.items():
        torch.testing.assert_close(saved[f"unet.{name}"], weight, rtol=1e-4, atol=1e-6)
    assert any(not torch.allclose(saved[f"unet.{name}"], weight, atol=1e-4) for name, weight in steps[-1].items())


def test_the_learning_weights_come_back_after_samples_are_drawn(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["hparams.ema=0.5", "method.roles=[denoiser,text]"]
    plain = train(configure(tiny_sd, pictures, tmp_path / "plain", *settings))
    sampled = train(
        configure(
            tiny_sd,
            pictures,
            tmp_path / "sampled",
            *settings,
            "samples=default",
            "samples.prompts=['a {identifier} {noun}']",
            "samples.seeds=[0]",
            "samples.every=2",
        )
    )
    assert sampled.folder.name == plain.folder.name
    assert len(list(sampled.samples.glob("step-*"))) == 4
    assert losses(sampled) == losses(plain)
    for name, weight in result_weights(plain).items():
        assert torch.equal(result_weights(sampled)[name], weight), name


def test_the_last_samples_are_what_the_result_draws(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    evaluation = ["samples=default", "samples.prompts=['a {identifier} {noun}']", "samples.seeds=[7]"]
    run = train(configure(tiny_sd, pictures, tmp_path, "hparams.ema=0.5", "method.lr=2e-2", *evaluation))
    generate(
        compose(
            "generate",
            [f"run={run.folder}", f"outputs={tmp_path}/out", "prompt='a {identifier} {noun}'", "seeds=[7]"],
        )
    )
    [file] = (tmp_path / "out").glob("*.png")
    ours = Image.open(file)
    assert distance([Image.open(run.samples / "step-000006" / "00-s7.png")], [ours]) <= ROUNDING
    before = np.asarray(Image.open(run.samples / "step-000000" / "00-s7.png"), dtype=int)
    assert np.abs(before - np.asarray(ours, dtype=int)).max() > 10


def test_a_result_on_another_model_than_the_one_it_was_trained_from_is_refused(pictures: Path, tmp_path: Path) -> None:
    model = tiny_pipeline(tmp_path / "model")
    run = train(configure(model, pictures, tmp_path / "runs", "hparams.steps=1"))
    trained_model(run, scale={})
    tiny_pipeline(model, seed=1)
    with pytest.raises(ConfigError, match="model.source=.*not the model any more"):
        trained_model(run, scale={})
