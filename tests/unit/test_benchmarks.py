"""The benchmarks run, and measure what they say. How fast anything is, is not asserted."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


def step(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "step.py"), "--size=tiny", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_settings_that_change_the_task_are_refused(tmp_path: Path) -> None:
    done = step(f"--out={tmp_path}", "trainer.compile=true", "hparams.batch_size=8")
    assert done.returncode != 0
    assert "hparams.batch_size=8: only" in done.stderr
    assert not list(tmp_path.iterdir())


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])


@pytest.mark.parametrize("has_prior", [False, True])
def test_the_plain_loop_trains_the_denoiser_alone(
    has_prior: bool, tiny_sd_v: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    plain: Any = importlib.import_module("plain_loop")
    loop = plain.PlainLoop(
        plain.PlainSettings(
            model=str(tiny_sd_v),
            pictures=str(pictures),
            class_pictures=str(pictures) if has_prior else None,
            prompt="a sks dog",
            class_prompt="a dog",
            prior_weight=1.0,
            resolution=32,
            batch_size=2,
            lr=1e-3,
            betas=(0.9, 0.999),
            eps=1e-8,
            weight_decay=1e-2,
            clip=1.0,
            device="cpu",
        )
    )
    networks = (loop.unet, loop.vae, loop.text_encoder)
    before = [weights(network) for network in networks]
    assert math.isfinite(loop.step())
    changed = [not torch.equal(weights(network), old) for network, old in zip(networks, before, strict=True)]
    assert changed == [True, False, False]


@pytest.mark.slow
def test_both_sides_are_measured_and_kept(tmp_path: Path) -> None:
    done = step("--rounds=2", "--steps=2", "--threads=1", f"--out={tmp_path}", "--note=a trial", "trainer.cache=false")
    assert done.returncode == 0, done.stderr
    [kept] = tmp_path.glob("*-step-tiny.json")
    text = kept.read_text(encoding="utf-8")
    result = json.loads(text)
    assert result["command"].endswith("--size=tiny --rounds=2 --steps=2 --threads=1 trainer.cache=false")
    assert [case["case"] for case in result["cases"]] == ["without prior", "with prior"]
    for case in result["cases"]:
        for side in ("imprint", "plain"):
            assert len(case[side]["rounds"]) == 2  # the round that warms up does not count
            assert min(case[side]["rounds"]) > 0
            assert case[side]["peak_bytes"] > 10_000_000
        assert case["ratio"]["lowest"] <= case["ratio"]["median"] <= case["ratio"]["highest"]
    table = kept.with_suffix(".md").read_text(encoding="utf-8")
    assert "| with prior |" in table
    assert "a trial" in table
    for private in (str(ROOT), str(tmp_path)):
        assert private not in text + table


@pytest.mark.slow
def test_a_grid_is_measured_in_three_ways(tmp_path: Path) -> None:
    settings = ["--size=tiny", "--points=2", "--steps=2", "--rounds=1", f"--out={tmp_path}"]
    command = [sys.executable, str(BENCHMARKS / "sweep.py"), *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    [kept] = tmp_path.glob("*-sweep-tiny-lora.json")
    text = kept.read_text(encoding="utf-8")
    result = json.loads(text)
    assert list(result["sides"]) == ["side by side", "in turn", "a process each"]
    for (taken,) in result["sides"].values():
        assert min(taken.values()) > 0
    assert result["times_as_fast"]["side by side"] == {"seconds": 1.0, "cpu_seconds": 1.0}
    assert str(ROOT) not in text
