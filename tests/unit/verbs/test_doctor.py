"""imprint doctor: what it says of a machine, and what it calls wrong."""

import json
import os
from pathlib import Path

import pytest
import torch
from command import Typed, typed_with

from imprint.verbs.doctor import machine, packages, places
from imprint.verbs.doctor.findings import Finding


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    return typed_with(capfd)


def named(found: list[Finding], name: str) -> Finding:
    [one] = [finding for finding in found if finding.name == name]
    return one


def test_a_healthy_machine_has_all_areas_and_no_mark(typed: Typed) -> None:
    said = typed("doctor")
    assert said.code == 0
    for area in ("Versions", "Extras", "Folders", "Logins", "Models", "Devices", "Memory"):
        assert f"\n{area}\n" in f"\n{said.text}"
    assert torch.__version__ in said.text
    assert "\n !" not in said.text


def test_programs_read_it(typed: Typed) -> None:
    said = typed("doctor", "json=true")
    found = json.loads(said.text)
    assert {"area", "name", "said", "state", "remedy"} == set(found[0])


def test_what_cannot_be_written_to_is_wrong_with_its_remedy(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_write = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path / "shut" and can_write(place, mode))
    (tmp_path / "shut").mkdir()
    said = typed("doctor", f"outputs={tmp_path}/shut/outputs")
    assert said.code == 1
    assert " ! outputs" in said.text
    assert "outputs=FOLDER means another" in said.text
    assert "wrong here: outputs" in said.text


def test_an_old_library_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "version", lambda name: "0.1" if name == "peft" else "99.0")
    peft = named(list(packages.versions()), "peft")
    assert peft.state == "wrong"
    assert peft.remedy.startswith("pip install 'peft>=")


def test_a_missing_extra_is_a_note_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = packages._version
    monkeypatch.setattr(packages, "_version", lambda name: None if name == "optuna" else real(name))
    search = named(list(packages.extras()), "search")
    assert search.state == "note"
    assert search.remedy == "pip install 'imprint-diffusion[search]'"


def test_a_driver_that_torch_cannot_use_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(machine, "_has_driver", lambda: True)
    assert named(list(machine.devices()), "NVIDIA GPU").state == "wrong"
    monkeypatch.setattr(machine, "_has_driver", lambda: False)
    assert not [finding for finding in machine.devices() if finding.name == "NVIDIA GPU"]


def test_a_key_is_found_and_not_shown(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    said = typed("doctor")
    assert "there is a key" in said.text
    assert "0123456789abcdef" not in said.text


def test_models_of_the_hubs_cache_are_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert "sdxl" not in named(list(places.models()), "model: at hand").said.split(", ")
    (tmp_path / "models--stabilityai--stable-diffusion-xl-base-1.0" / "snapshots" / "abc").mkdir(parents=True)
    assert "sdxl" in named(list(places.models()), "model: at hand").said.split(", ")
