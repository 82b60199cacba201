"""Files of adapters and words, as they are shared: what they say of themselves, and what it takes to write them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from results import exported, merged
from safetensors import safe_open

from imprint.results.load import trained_model
from imprint.runs import Run

LORA = "method=lora"
WORD = ("method=textual_inversion", "dataset.identifier=auto")


def about(file: Path) -> dict[str, str]:
    """What the file says, without the convention's prefix."""
    with safe_open(file, framework="pt") as content:
        said = content.metadata()
    return {name.removeprefix("modelspec."): value for name, value in said.items() if name.startswith("modelspec.")}


def tensors_of(file: Path) -> bytes:
    content = file.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


@pytest.mark.parametrize("format", ["kohya", "lora", "embedding", "result", "result word"])
def test_a_file_says_what_it_is_for(format: str, finished: Callable[..., Run], tmp_path: Path) -> None:
    of_word = format in ("embedding", "result word")
    run = finished(*WORD) if of_word else finished(LORA)
    if format.startswith("result"):
        [file] = run.result.glob("*.safetensors")
    else:
        file = exported(run, tmp_path / "out.safetensors", f"format={format}")
    said = about(file)
    assert said.pop("hash_sha256") == f"0x{hashlib.sha256(tensors_of(file)).hexdigest()}"
    assert said == {
        "sai_model_spec": "1.0.0",
        "architecture": f"stable-diffusion-v1/{'textual-inversion' if of_word else 'lora'}",
        "implementation": "diffusers",
        "title": run.read().name,
        "trigger_phrase": "<dog>" if of_word else "sks dog",
        "resolution": "32x32",
        "prediction_type": "epsilon",
    }
    if not format.startswith("result"):
        again = exported(run, tmp_path / "again.safetensors", f"format={format}")
        assert again.read_bytes() == file.read_bytes()


def test_a_merged_file_says_from_what(finished: Callable[..., Run], tmp_path: Path) -> None:
    runs = [finished(LORA), finished(LORA, "name=second", "seed=1")]
    said = about(merged(runs, tmp_path / "both.safetensors", "format=kohya"))
    assert said["merged_from"] == ", ".join(run.read().name for run in runs)
    assert "merged_from" not in about(exported(runs[0], tmp_path / "one.safetensors", "format=kohya"))


@pytest.mark.parametrize("format", ["kohya", "embedding"])
def test_files_without_the_networks_weights_are_written_without_reading_them(
    format: str, finished: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(LORA, "method.use_rslora=true", "method.alpha=2") if format == "kohya" else finished(*WORD)
    model, _, method = trained_model(run, scale={})
    method.formats(model)[format].write(tmp_path / "expected.safetensors", torch.float32)
    monkeypatch.setattr("imprint.models.checkpoint.base.Checkpoint.load", None)
    file = exported(run, tmp_path / "out.safetensors", f"format={format}")
    assert file.read_bytes() == (tmp_path / "expected.safetensors").read_bytes()
