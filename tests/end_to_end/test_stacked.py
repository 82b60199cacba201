"""Grids side by side: `imprint train -m`, as they run by default."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command import Said, Typed, typed_with
from leftovers import leave_half_of, left_in
from rounding import near, near_weights
from safetensors.torch import load_file
from small_runs import configure, losses, overrides

from imprint.runs import Run
from imprint.sweeps import Sweep
from imprint.training.module import TrainingModule
from imprint.verbs.train import train

STACKED = ["sweep.name=mine"]


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def grid(tiny_sd: Path, pictures: Path, outputs: Path, capfd: pytest.CaptureFixture[str]) -> Typed:
    typed = typed_with(capfd)

    def launched(*arguments: str) -> Said:
        return typed("train", "-m", *overrides(tiny_sd, pictures, outputs, *STACKED, *arguments))

    return launched


def runs(outputs: Path) -> list[Run]:
    return [point.run for point in Sweep.named("mine", outputs).points]


def index_of(run: Run) -> list[dict[str, Any]]:
    """Of its samples. What a picture shows is left out: it may differ by the rounding of a batch."""
    rows = json.loads(run.sample_index.read_text(encoding="utf-8"))["pictures"]
    return [{key: value for key, value in row.items() if key != "content"} for row in rows]


def test_points_are_trained_together_and_are_the_runs_that_they_are_alone(
    grid: Typed, outputs: Path, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    said = grid("method=lora,dreambooth", "method.lr=1e-3,1e-2", "report.wandb.mode=offline")
    assert said.code == 0, said.text
    assert "Side by side: 2 points." in said.text
    assert "In turn: 2, since DreamBooth" in said.text
    found = runs(outputs)
    assert [run.status for run in found] == ["finished"] * 4
    loras = [run for run in found if "-lora-" in run.folder.name]
    assert [run.read().side_by_side for run in loras] == [2, 2]
    for run, rate in zip(loras, ("1e-3", "1e-2"), strict=True):
        alone = train(configure(tiny_sd, pictures, tmp_path / "alone", "method=lora", f"method.lr={rate}"))
        assert run.folder.name == alone.folder.name
        assert losses(run) == near(losses(alone))
        [mine], [theirs] = (list(one.result.glob("*.safetensors")) for one in (run, alone))
        assert near_weights(load_file(mine), load_file(theirs), rate=float(rate), steps=len(losses(run)))
        [tracked] = run.folder.glob("wandb/offline-run-*")
        assert tracked.name.endswith(run.signature)
        assert alone.read().model_fields_set | {"side_by_side"} == run.read().model_fields_set


def test_each_point_is_prepared_once(grid: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever plans the sweep; with the sweep's name in what is told of it."""
    preparing = sys.modules["imprint.planning.prepare"]
    prepared: list[int] = []
    identity_of = preparing.identity_of

    def counted(parts: Any, *rest: Any, **more: Any) -> Any:
        prepared.append(parts.seed)
        return identity_of(parts, *rest, **more)

    monkeypatch.setattr(preparing, "identity_of", counted)
    assert grid("method=lora,dreambooth", "seed=0,1", "hparams.steps=1").code == 0
    assert sorted(prepared) == [0, 0, 1, 1]


def test_samples_and_looks_on_the_way_are_those_of_each_point(
    grid: Typed, outputs: Path, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    drawn = ["samples=default", "samples.every=3", "samples.seeds=[0]", "samples.prompts=['a {identifier} dog']"]
    said = grid("method=lora", "method.lr=1e-1,3e-1", *drawn)
    assert said.code == 0, said.text
    for run, rate in zip(runs(outputs), ("1e-1", "3e-1"), strict=True):
        alone = train(configure(tiny_sd, pictures, tmp_path / "alone", "method=lora", f"method.lr={rate}", *drawn))
        assert index_of(run) == index_of(alone)
        files = sorted(file.relative_to(alone.samples) for file in alone.samples.glob("step-*/*.png"))
        assert len(files) == 3
        for file in files:
            assert (run.samples / file).is_file()
    first, second = (sorted(run.samples.glob("step-000006/*.png"))[0].read_bytes() for run in runs(outputs))
    assert first != second


def test_a_failing_point_stops_no_other(grid: Typed, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = TrainingModule.training_step

    def stumble(module: TrainingModule, *rest: object) -> object:
        if module.task.seed == 1 and module.global_step == 3:
            raise RuntimeError("the disk caught fire")
        return forward(module, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainingModule, "training_step", stumble)
    said = grid("method=lora", "seed=0,1,2")
    assert said.code == 1
    assert "the disk caught fire" in said.text
    assert [run.status for run in runs(outputs)] == ["finished", "failed", "finished"]
    monkeypatch.setattr(TrainingModule, "training_step", forward)
    leave_half_of(Sweep.named("mine", outputs).summary)
    leave_half_of(runs(outputs)[0].manifest)  # of a point that is done
    again = grid("method=lora", "seed=0,1,2")
    assert again.code == 0, again.text
    assert not left_in(outputs)
    assert [run.status for run in runs(outputs)] == ["finished"] * 3


def test_the_plan_says_who_trains_together(grid: Typed, outputs: Path) -> None:
    said = grid("method=lora,dreambooth", "seed=0,1,2", "dry_run=true", "hydra.launcher.max_points=2")
    assert said.code == 0, said.text
    assert "Side by side: 2 points.\n  method=lora seed=0; method=lora seed=1\n" in said.text
    assert "In turn: 1, since no other is left to join it in a group of 2." in said.text
    assert "In turn: 3, since DreamBooth" in said.text
    assert not list(outputs.glob("*/manifest.json"))


def test_another_launcher_trains_them_in_turn(grid: Typed, outputs: Path) -> None:
    said = grid("method=lora", "seed=0,1", "hydra/launcher=basic")
    assert said.code == 0, said.text
    assert "Side by side" not in said.text
    assert [run.status for run in runs(outputs)] == ["finished"] * 2
    assert all(run.read().side_by_side == 1 for run in runs(outputs))


def test_a_point_that_is_configured_wrongly_is_told_of_before_any_starts(grid: Typed, outputs: Path) -> None:
    said = grid("method=lora", "method.rank=2,0")
    assert said.code == 1
    assert "method.rank" in said.text
    assert not list(outputs.glob("*/manifest.json"))


def test_a_group_of_no_points_is_refused(grid: Typed, outputs: Path) -> None:
    said = grid("method=lora", "seed=0,1", "hydra.launcher.max_points=0")
    assert said.code == 1
    assert "hydra.launcher.max_points=0" in said.text


@pytest.mark.slow
def test_a_killed_group_goes_on_but_for_rounding(tiny_sd: Path, pictures: Path, outputs: Path, tmp_path: Path) -> None:
    settings = ["method=lora", "hparams.steps=40", "trainer.checkpoint_every=5", "seed=0,1"]
    command = [sys.executable, "-m", "imprint.cli", "train", "-m", *overrides(tiny_sd, pictures, outputs, *STACKED)]
    process = subprocess.Popen([*command, *settings], env=os.environ, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(outputs.glob("*/checkpoints/*"))) < 2 and not list(outputs.glob("*/*.ckpt")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "finished" not in {run.status for run in runs(outputs)}
    subprocess.run([*command, *settings], check=True, env=os.environ, stderr=subprocess.DEVNULL)
    for run, seed in zip(runs(outputs), (0, 1), strict=True):
        alone = train(configure(tiny_sd, pictures, tmp_path / "alone", *settings[:3], f"seed={seed}"))
        with run.metrics.open() as mine, alone.metrics.open() as theirs:
            assert [row["step"] for row in csv.DictReader(mine)] == [row["step"] for row in csv.DictReader(theirs)]
        assert losses(run) == near(losses(alone))
