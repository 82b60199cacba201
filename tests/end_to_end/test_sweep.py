"""Grids: `imprint train -m`, planned, watched and summed up."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from authority import issue
from command import Said, Typed, typed_with
from launched import started
from small_runs import overrides

from imprint.runs import Run
from imprint.sweeps import Sweep
from imprint.training.module import TrainingModule


@pytest.fixture
def grid(tiny_sd: Path, pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Typed:
    """`imprint train -m` of tiny runs."""
    typed = typed_with(capfd)

    def launched(*arguments: str) -> Said:
        return typed("train", "-m", *overrides(tiny_sd, pictures, tmp_path / "outputs", "method=lora", *arguments))

    return launched


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


def only_sweep(outputs: Path) -> Sweep:
    [record] = outputs.glob("sweeps/*/sweep.json")
    return Sweep.open(record.parent)


def statuses(outputs: Path) -> list[str]:
    return [point.run.status for point in only_sweep(outputs).points]


def test_secrets_of_the_command_are_in_no_file(grid: Typed, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_WORDS", "held by the environment")
    secret = "+hydra.job.env_set={WANDB_PASSWORD: secret-1234}"
    said = grid("seed=0", secret, "sweep.question='${oc.env:MY_WORDS}'", "report=default")
    assert said.code == 0
    files = [file for file in outputs.rglob("*") if file.is_file()]
    assert any(file.suffix == ".wandb" for file in files)
    for file in files:
        assert b"secret-1234" not in file.read_bytes()
        assert b"held by the environment" not in file.read_bytes()
    assert only_sweep(outputs).question == "${oc.env:MY_WORDS}"
    assert "WANDB_PASSWORD: ***" in only_sweep(outputs).commands[0]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs with seed 1 do not get far."""
    forward = TrainingModule.training_step

    def stumble(module: TrainingModule, *args: Any) -> Any:
        if module.task.seed == 1:
            raise RuntimeError("the disk caught fire")
        return forward(module, *args)

    monkeypatch.setattr(TrainingModule, "training_step", stumble)


def test_every_combination_is_a_run_of_its_own(grid: Typed, outputs: Path) -> None:
    said = grid("method.lr=1e-3,1e-2", "seed=0,1")
    assert said.code == 0
    points = only_sweep(outputs).points
    assert [point.overrides for point in points] == [
        (f"method.lr={rate}", f"seed={seed}") for rate in (0.001, 0.01) for seed in (0, 1)
    ]
    assert statuses(outputs) == ["finished"] * 4
    for point in points:
        config = point.run.read().config
        assert {f"method.lr={config.method['lr']}", f"seed={config.seed}"} == set(point.overrides)
        assert config.report["wandb"]["group"] == only_sweep(outputs).name
    assert "[4/4]" in said.text


def test_a_point_and_the_same_single_run_share_a_folder(
    grid: Typed, outputs: Path, tiny_sd: Path, pictures: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    grid("seed=0,1")
    again = typed_with(capfd)("train", *overrides(tiny_sd, pictures, outputs, "method=lora", "seed=1"))
    assert "Finished before" in again.text
    assert len(list(outputs.glob("*/manifest.json"))) == 2


def test_what_is_there_is_not_launched_again(grid: Typed, outputs: Path) -> None:
    grid("seed=0,1", "sweep.name=mine")
    before = {point.run.folder: point.run.read() for point in only_sweep(outputs).points}
    said = grid("seed=0,1,2", "sweep.name=mine")
    assert "3 points: 2 done, 1 to train" in said.text
    assert len(only_sweep(outputs).points) == 3
    for folder, facts in before.items():
        assert Run(folder).read() == facts


def test_the_same_points_are_the_same_sweep(grid: Typed, outputs: Path) -> None:
    grid("seed=0,1")
    said = grid("seed=1,0", "report.every=2")
    assert said.code == 0
    assert "2 points: 2 done" in said.text
    assert len(only_sweep(outputs).commands) == 2


def test_where_a_signing_key_lies_is_written_nowhere(grid: Typed, outputs: Path, tmp_path: Path) -> None:
    pytest.importorskip("c2pa", reason="the extra credentials is not installed")
    issued = issue(tmp_path / "authority")
    assert grid("seed=0,1", "hparams.steps=1", *issued.settings).code == 0
    assert statuses(outputs) == ["finished"] * 2
    assert "provenance.key=***" in only_sweep(outputs).commands[0].replace("'", "")
    assert not [file for file in outputs.rglob("*") if file.is_file() and issued.key.name.encode() in file.read_bytes()]


def test_a_failing_point_stops_no_other(grid: Typed, outputs: Path, failing: None) -> None:
    said = grid("seed=0,1,2")
    assert said.code == 1
    assert statuses(outputs) == ["finished", "failed", "finished"]
    failed = only_sweep(outputs).points[1].run
    assert "the disk caught fire" in failed.error.read_text()
    assert f"seed=1: the disk caught fire ({failed.error})" in said.text
    assert "1 of 3 points did not finish" in said.text
    summary = only_sweep(outputs).summary.read_text()
    assert "2 done, 1 failed" in summary
    assert "the disk caught fire" in summary


def test_a_point_that_failed_is_tried_again(
    grid: Typed, outputs: Path, failing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid("seed=0,1")
    monkeypatch.undo()
    said = grid("seed=0,1", "dry_run=true")
    assert "to try again" in said.text or "to go on with" in said.text
    assert grid("seed=0,1").code == 0
    assert statuses(outputs) == ["finished", "finished"]


def test_a_dry_run_tells_all_and_does_nothing(grid: Typed, outputs: Path) -> None:
    said = grid("seed=0,1", "dry_run=true")
    assert "2 points: 2 to train" in said.text
    assert "tells how long the others take" in said.text
    assert not outputs.exists()
    grid("seed=0")
    said = grid("seed=0,1", "dry_run=true")
    assert "One after another that takes about" in said.text
    assert "going by finished runs" in said.text
    assert len(list(outputs.glob("*/manifest.json"))) == 1


def test_a_single_run_has_a_dry_run_too(
    tiny_sd: Path, pictures: Path, outputs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = typed_with(capfd)("train", *overrides(tiny_sd, pictures, outputs, "dry_run=true"))
    assert said.code == 0
    assert "to train" in said.text
    assert not outputs.exists()


def test_mistakes_of_all_points_are_told_before_any_starts(grid: Typed, outputs: Path) -> None:
    said = grid("method.lr=-1,1e-3", "hparams.steps=0")
    assert said.code == 1
    assert "method.lr=-1: input should be greater than 0. (in method.lr=-1)" in said.text
    assert "hparams.steps=0" in said.text
    assert said.text.count("hparams.steps=0") == 1
    assert "Traceback" not in said.text
    assert not outputs.exists()


def test_points_can_be_listed(grid: Typed, outputs: Path) -> None:
    said = grid('hydra.sweeper.points=["method.rank=2 seed=3","method.rank=8"]', "method.lr=1e-3,2e-3")
    assert said.code == 0
    assert [" ".join(point.overrides) for point in only_sweep(outputs).points] == [
        "method.rank=2 seed=3 method.lr=0.001",
        "method.rank=2 seed=3 method.lr=0.002",
        "method.rank=8 method.lr=0.001",
        "method.rank=8 method.lr=0.002",
    ]


def test_a_listed_point_and_the_command_do_not_set_the_same(grid: Typed) -> None:
    said = grid('hydra.sweeper.points=["method.rank=2"]', "method.rank=4,8")
    assert said.code == 1
    assert "method.rank" in said.text
    assert "hydra.sweeper.points" in said.text


def test_points_that_are_the_same_run_are_launched_once(grid: Typed, outputs: Path) -> None:
    said = grid("method.lr=1e-3,0.001")
    assert said.code == 0
    assert "1 point: 1 to train" in said.text
    assert "2 points were asked for" in said.text
    assert len(only_sweep(outputs).points) == 1


def test_an_interrupted_grid_says_how_far_it_got(grid: Typed, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(module: TrainingModule, *args: Any) -> Any:
        raise KeyboardInterrupt

    grid("seed=0", "sweep.name=mine")
    monkeypatch.setattr(TrainingModule, "training_step", interrupt)
    said = grid("seed=0,1", "sweep.name=mine")
    assert said.code == 130
    assert "1 done, 1 stopped" in only_sweep(outputs).summary.read_text()
    monkeypatch.undo()
    assert grid("seed=0,1", "sweep.name=mine").code == 0
    assert statuses(outputs) == ["finished", "finished"]


@pytest.mark.slow
def test_a_tracked_grid_sums_itself_up_at_wandb(grid: Typed, outputs: Path) -> None:
    assert grid("seed=0,1", "report=default", "report.wandb.mode=offline").code == 0
    sweep = only_sweep(outputs)
    assert len(list(sweep.folder.glob("wandb/offline-run-*"))) == 1
    for point in sweep.points:
        assert list(point.run.folder.glob("wandb/offline-run-*"))


def test_what_no_evaluation_measures_is_no_objective(grid: Typed, outputs: Path) -> None:
    said = grid("seed=0,1", "sweep.objectives=[nope]")
    assert said.code == 1
    assert "sweep.objectives=['nope']: there is no metric 'nope'" in said.text
    assert not outputs.exists()
    assert grid("seed=0,1", "sweep.objectives=[vendi]", "dry_run=true").code == 0


@pytest.mark.slow
def test_two_equal_grids_at_once_share_the_work(tiny_sd: Path, pictures: Path, outputs: Path) -> None:
    settings = [*overrides(tiny_sd, pictures, outputs, "method=lora", "seed=0,1"), "hparams.steps=60"]
    with ThreadPoolExecutor() as pool:
        done = [each.result() for each in [pool.submit(started, "-m", *settings) for _ in range(2)]]
    for each in done:
        assert each.returncode == 0, each.stderr
        assert "Error executing job" not in each.stderr
        assert "Traceback" not in each.stderr
    assert statuses(outputs) == ["finished", "finished"]
    assert [len(point.run.read().started) for point in only_sweep(outputs).points] == [1, 1]


@pytest.mark.parametrize("name", ["a/b", "", "what now"])
def test_a_name_is_one_that_a_folder_can_have(grid: Typed, outputs: Path, name: str) -> None:
    said = grid("seed=0,1", f"sweep.name='{name}'")
    assert said.code == 1
    assert "sweep.name" in said.text
    assert not outputs.exists()
