"""What CONTRIBUTING.md shows is complete: its files and commands, as they stand there, train and score."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from drawing import ROUNDING, distance
from PIL import Image
from safetensors.torch import load_file
from small_runs import overrides
from tiny import tiny_source

import imprint
from imprint.errors import UserError

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- (?:file: (?P<file>\S+)|run) -->\n```\w*\n(?P<content>.*?)```", re.DOTALL)


class Example(NamedTuple):
    folder: Path
    commands: list[list[str]]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    folder = tmp_path_factory.mktemp("example")
    commands = []
    for block in BLOCK.finditer(TEXT):
        if block["file"]:
            (folder / block["file"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / block["file"]).write_text(block["content"], encoding="utf-8")
        else:
            commands.append(shlex.split(block["content"]))
    return Example(folder, commands)


def test_every_block_of_code_is_a_file_or_a_command_that_is_run() -> None:
    fences = len(re.findall(r"^```\w*$", TEXT, re.MULTILINE)) // 2
    assert fences == 1 + len(BLOCK.findall(TEXT)), "all but the first, which is about make"


@pytest.mark.slow
def test_the_method_trains_and_the_metric_scores(
    example: Example, tiny_sd: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, scoring = example.commands[:2]
    trust = "my_methods.bitfit.BitFit"
    folder = _trained(example.folder, training, tiny_sd, pictures, "bitfit")
    biases = load_file(folder / "result" / "biases.safetensors")
    untuned = load_file(tiny_sd / "unet" / "diffusion_pytorch_model.safetensors")
    assert biases
    assert all(name.endswith("bias") for name in biases)
    assert any(not torch.equal(value, untuned[name]) for name, value in biases.items())

    only = ["~evaluation.metrics.dino", "~evaluation.metrics.clip_i", "~evaluation.metrics.clip_t"]
    fewer = ["evaluation.rows=[]", "evaluation.pictures.subject.images=1", "accelerator=cpu", f"trust=[{trust}]"]
    _typed(example.folder, [word.replace("outputs/RUN", str(folder)) for word in scoring] + only + fewer)
    monkeypatch.syspath_prepend(example.folder)
    with pytest.raises(UserError, match=re.escape(f"trust=[{trust}]")):
        imprint.open(folder).generate("a {identifier} {noun}", device="cpu")
    run = imprint.open(folder, trust=[trust])
    assert {score.title for score in run.scores} == {"Colourfulness"}
    assert all(score.mean > 0 for score in run.scores)
    [drawn] = run.generate("a {identifier} {noun}", device="cpu")
    assert drawn.size == (32, 32)


@pytest.mark.slow
def test_the_model_family_learns_a_lora_and_draws(
    example: Example, tiny_sd: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, drawing = example.commands[2:]
    folder = _trained(example.folder, training, tiny_sd, pictures, "clip_skip")
    fewer = ["seeds=[0]", "accelerator=cpu"]
    _typed(example.folder, [word.replace("outputs/RUN", str(folder)) for word in drawing] + fewer)
    [drawn] = (folder / "generated").glob("*.png")

    monkeypatch.syspath_prepend(example.folder)
    from my_models.clip_skip import ClipSkipSource

    source = ClipSkipSource(**vars(tiny_source(tiny_sd)))
    assert source.facts().fingerprint != tiny_source(tiny_sd).facts().fingerprint
    model = source.load()
    prompt = "a sks dog on the beach"
    shorter = tiny_source(tiny_sd).load()
    getattr(shorter.text_encoder, "text_model", shorter.text_encoder).encoder.layers.pop(-1)
    seen, expected = (each.encode_text([prompt], empty_is_unconditional=False)["tokens"] for each in (model, shorter))
    assert torch.equal(seen, expected)
    [again] = imprint.open(folder, trust=["my_models.clip_skip.ClipSkipSource"]).generate(
        "a {identifier} {noun}", device="cpu"
    )
    with Image.open(drawn) as picture:
        assert picture.size == again.size == (32, 32)
        assert distance([picture.convert("RGB")], [again]) <= ROUNDING


def _trained(folder: Path, command: list[str], model: Path, pictures: Path, outputs: str) -> Path:
    """The folder of a run of two steps. What the command chooses stays as it says."""
    own = overrides(model, pictures, Path(outputs), "hparams.steps=2", "hparams.batch_size=2")
    chosen = {word.partition("=")[0] for word in command}
    _typed(folder, [*command, *(key for key in own if key.partition("=")[0] not in chosen)])
    [manifest] = (folder / outputs).glob("*/manifest.json")
    return manifest.parent


def _typed(folder: Path, words: list[str]) -> None:
    """The command as it stands there, with the program of this environment and this checkout."""
    variable, program, *arguments = words
    assert (variable, program) == ("PYTHONPATH=.", "imprint")
    path = os.pathsep.join([str(folder), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-m", "imprint.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
