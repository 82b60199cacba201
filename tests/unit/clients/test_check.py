"""`make clients`, with a small program of the tests' own in the place of a real one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from clients import check, material
from results import exported
from safetensors.torch import load_file

from imprint.runs import Run

# It reads LoRAs as sd-scripts does, and is asked as sd-scripts is.
PROGRAM = """
from types import SimpleNamespace


def create_network_from_weights(multiplier, file, vae, text_encoder, unet, weights_sd, for_inference):
    return Network(unet, weights_sd), weights_sd


class Network:
    def __init__(self, unet, stored):
        self.layers = {f"lora_unet_{name.replace('.', '_')}": layer for name, layer in unet.named_modules()}
        names = {key.partition(".")[0] for key in stored}
        self.unet_loras = [SimpleNamespace(lora_name=name) for name in names if name in self.layers]
        self.text_encoder_loras = []

    def merge_to(self, text_encoder, unet, stored, dtype, device):
        for own in self.unet_loras:
            up, down = (stored[f"{own.lora_name}.lora_{side}.weight"] for side in ("up", "down"))
            strength = STRENGTH * stored[f"{own.lora_name}.alpha"] / len(down)
            self.layers[own.lora_name].weight.data += strength * (up @ down)
"""


@pytest.fixture
def cases(finished: Callable[..., Run], tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A LoRA of the tiny model stands for those of all methods; the file is returned."""
    run = finished("method=lora")
    file = exported(run, tmp_path / "lora.safetensors", "format=kohya")
    whole = exported(run, tmp_path / "whole.safetensors", "format=single_file")
    folder = exported(run, tmp_path / "tuned", "format=pipeline")
    tuned = (str(whole), str(folder))
    case = material.Case("sd1", "LoRA", "kohya", str(file), str(whole), str(tiny_sd), *tuned, None)
    listed = tmp_path / "cases.json"
    listed.write_text(json.dumps([case._asdict()]), encoding="utf-8")
    monkeypatch.setattr(check, "_material", lambda work, families, methods: listed)
    return [file]


def program(folder: Path, content: str) -> dict[str, str]:
    """What the environment says where the program is in `folder`."""
    (folder / "networks").mkdir(parents=True)
    (folder / "networks" / "lora.py").write_text(content, encoding="utf-8")
    return {**os.environ, "SD_SCRIPTS": str(folder)}


def test_without_a_program_it_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([], {}) == 0
    said = capsys.readouterr().out
    assert "nothing was checked" in said
    assert all(f"make clients {name}=" in said for name in check.CLIENTS)


def test_a_program_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert check.main([], {"COMFYUI": str(tmp_path / "absent")}) == 2
    assert "COMFYUI=" in capsys.readouterr().out


def test_a_program_that_reads_files_as_they_are_meant(
    cases: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.md"
    assert check.main(["--markdown", str(table)], program(tmp_path / "program", f"STRENGTH = 1\n{PROGRAM}")) == 0
    keys = len(load_file(cases[0]))
    assert f"| sd-scripts | sd1 | LoRA | kohya | {keys} | {keys} |" in table.read_text(encoding="utf-8")
    assert "1 files examined, 0 that are" in capsys.readouterr().out


def test_a_program_that_counts_otherwise_is_a_failure(
    cases: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([], program(tmp_path / "program", f"STRENGTH = 0.5\n{PROGRAM}")) == 1
    assert " 0.5" in capsys.readouterr().out


def test_a_program_that_does_not_run_is_a_failure(
    cases: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = program(tmp_path / "program", PROGRAM)
    assert check.main([], {**environment, "SD_SCRIPTS_PYTHON": "/bin/false"}) == 1
    assert "it did not run" in capsys.readouterr().out


@pytest.mark.slow
def test_files_of_a_method_are_made_and_tried(tmp_path: Path) -> None:
    environment = program(tmp_path / "program", f"STRENGTH = 1\n{PROGRAM}")
    arguments = ["--families", "sd1", "--methods", "LoRA", "rsLoRA", "--work", str(tmp_path / "work")]
    assert check.main(arguments, environment) == 0
    listed = json.loads((tmp_path / "work" / "cases.json").read_text(encoding="utf-8"))
    assert {(case["method"], case["format"]) for case in listed} == {
        *(("LoRA", "kohya"), ("LoRA", "lora")),
        *(("rsLoRA", "kohya"), ("rsLoRA", "result")),
    }
