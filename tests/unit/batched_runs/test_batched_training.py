"""Runs that are trained together have the losses, files and checkpoints that they have alone."""

import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from golden.test_losses import CASES, COLUMNS, FOLDER
from omegaconf import DictConfig
from rounding import near, near_weights
from safetensors.torch import load_file
from small_runs import configure, losses, metrics

from imprint.batched_runs.batched_training import BatchedTraining
from imprint.batched_runs.ensemble import Ensemble
from imprint.batched_runs.memory_budget import MemoryBudget
from imprint.device_transfer import PendingScalar
from imprint.errors import NonFiniteLoss, RunBusy
from imprint.evaluation.watch import LiveScore
from imprint.planning.prepare import prepare
from imprint.runs import Run
from imprint.scoring.live import LiveScorer
from imprint.training.trainer import TrainerSettings
from imprint.verbs.train import train

RATE = 1e-3  # of all that `configure` makes, at most
GOLDEN = ["epsilon-lora", "epsilon-textual_inversion", "epsilon-pivotal"]


POINTS = [
    ["method.rank=2", "seed=1"],
    ["method.rank=3", "method.roles=[denoiser,text]", "method.dropout=0.5", "hparams.steps=4"],
    ["hparams.rate.name=cosine", "hparams.ema=0.9", "method.targets=[attention,convolutions]", "method.dropout=0.1"],
]


@pytest.fixture
def cfgs(tiny_sd: Path, pictures: Path, tmp_path: Path) -> list[DictConfig]:
    return [configure(tiny_sd, pictures, tmp_path / "runs", "method=lora", *point) for point in POINTS]


@pytest.fixture(scope="session")
def alone(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """The same points, each trained by itself."""
    outputs = tmp_path_factory.mktemp("alone")
    return [train(configure(tiny_sd, pictures, outputs, "method=lora", *point)) for point in POINTS]


def together(cfgs: Sequence[DictConfig]) -> tuple[list[Run], list[BaseException | None]]:
    plans = [prepare(cfg) for cfg in cfgs]
    ended = BatchedTraining(list(zip(plans, cfgs, strict=True))).train()
    return [plan.run for plan in plans], ended


def assert_alike(run: Run, other: Run) -> None:
    assert run.folder.name == other.folder.name
    assert run.status == other.status == "finished"
    assert losses(run) == near(losses(other))
    assert [row.keys() for row in metrics(run)] == [row.keys() for row in metrics(other)]
    files = sorted(file.relative_to(run.result) for file in run.result.rglob("*.*"))
    assert files == sorted(file.relative_to(other.result) for file in other.result.rglob("*.*"))
    for file in run.result.glob("*.safetensors"):
        mine, theirs = load_file(file), load_file(other.result / file.name)
        assert list(mine) == list(theirs)
        assert near_weights(mine, theirs, rate=RATE, steps=len(losses(run)))


def test_their_optimisers_may_differ(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes")
    monkeypatch.setattr(TrainerSettings, "offloads", True)  # as if this were a GPU
    usual = ["method=lora", "hparams.steps=4"]
    points = [[*usual, f"optimizer={choice}"] for choice in ("adamw8bit", "adafactor", "sgd")]
    points.append([*usual, "trainer.offload_optimizer=true"])
    runs, ended = together([configure(tiny_sd, pictures, tmp_path / "runs", *point) for point in points])
    assert ended == [None] * len(points)
    for run, point in zip(runs, points, strict=True):
        assert_alike(run, train(configure(tiny_sd, pictures, tmp_path / "alone", *point)))


def test_their_losses_are_the_golden_ones(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    cfgs = [configure(tiny_sd, pictures, tmp_path, "hparams.steps=8", *CASES[case][1]) for case in GOLDEN]
    runs, ended = together(cfgs)
    assert ended == [None] * len(GOLDEN)
    for run, case in zip(runs, GOLDEN, strict=True):
        golden = json.loads((FOLDER / f"{case}.json").read_text(encoding="utf-8"))
        rows = metrics(run)
        found = {name: [row.get(name, 0.0) for row in rows] for name in COLUMNS if any(name in row for row in rows)}
        assert found.keys() == golden.keys()
        for name, values in golden.items():
            assert found[name] == near(values), (case, name)


@pytest.mark.numeric
def test_their_folders_are_those_of_runs_alone(cfgs: list[DictConfig], alone: list[Run]) -> None:
    runs, ended = together(cfgs)
    assert ended == [None] * 3
    for run, other in zip(runs, alone, strict=True):
        assert_alike(run, other)
        assert run.read().side_by_side == 3
        assert not run.checkpoint.exists()


def test_passes_in_less_precision_are_those_of_runs_alone(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["method=lora", "hparams.precision=bf16-mixed", "hparams.batch_size=4", "trainer.accumulation=2"]
    points = [
        ["seed=1", "method.roles=[denoiser,text]", "method.dropout=0.2"],
        ["method=pivotal", "dataset.identifier=auto", "prior=base_prediction"],
    ]
    runs, ended = together([configure(tiny_sd, pictures, tmp_path / "runs", *settings, *point) for point in points])
    assert ended == [None, None]
    for run, point in zip(runs, points, strict=True):
        alone = train(configure(tiny_sd, pictures, tmp_path / "alone", *settings, *point))
        assert run.folder.name == alone.folder.name
        assert losses(run) == pytest.approx(losses(alone), rel=0.01)


def test_what_parts_of_a_batch_drop_is_what_they_drop_alone(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["hparams.batch_size=4", "trainer.accumulation=2", "hparams.steps=4"]
    points = [
        ["method=lora", "method.roles=[denoiser,text]", "method.dropout=0.5"],
        [
            "method=pivotal",
            "dataset.identifier=auto",
            "method.network.roles=[denoiser,text]",
            "method.network.dropout=0.3",
            "seed=3",
        ],
        ["method=lora", "method.rank=2"],
    ]
    runs, ended = together([configure(tiny_sd, pictures, tmp_path / "runs", *settings, *point) for point in points])
    assert ended == [None] * 3
    for run, point in zip(runs, points, strict=True):
        assert_alike(run, train(configure(tiny_sd, pictures, tmp_path / "alone", *settings, *point)))


def test_pictures_may_be_loaded_by_processes(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["method=lora", "trainer.workers=1", "dataset.crop=random"]
    cfgs = [configure(tiny_sd, pictures, tmp_path / "runs", *settings, f"seed={seed}") for seed in (0, 1)]
    runs, ended = together(cfgs)
    assert ended == [None, None]
    alone = train(configure(tiny_sd, pictures, tmp_path / "alone", "method=lora", "dataset.crop=random", "seed=1"))
    assert_alike(runs[1], alone)


def test_a_fault_of_the_group_leaves_no_folder_locked(
    cfgs: list[DictConfig], alone: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Ensemble, *rest: Any) -> None:
        raise RuntimeError("no network can be made of these")

    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "__init__", never)
        with pytest.raises(RuntimeError, match="no network"):
            together(cfgs)
    assert_alike(train(cfgs[1]), alone[1])


def test_looks_on_the_way_and_their_rules_are_each_ones_own(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(self: LiveScorer, model: Any, step: int) -> dict[str, LiveScore]:
        falls = self._run is plans[0].run
        return {"dino": LiveScore(-step if falls else step, "0123456789ab")}

    monkeypatch.setattr(LiveScorer, "score", score)
    watched = [
        "evaluation=quick",
        "+encoders@model.encoders=mini",
        "watch.every=1",
        "watch.by=dino",
        "watch.patience=2",
    ]
    cfgs = [configure(tiny_sd, pictures, tmp_path, "method=lora", *watched, f"seed={seed}") for seed in (0, 1)]
    plans = [prepare(cfg) for cfg in cfgs]
    assert BatchedTraining(list(zip(plans, cfgs, strict=True))).train() == [None, None]
    assert [len(losses(plan.run)) for plan in plans] == [2, 6]
    assert plans[0].run.read().watch["stopped_at"] == 2


@pytest.mark.parametrize("losses_come", ["at once", "later"])  # as from a GPU
def test_one_that_fails_leaves_the_others_running(
    losses_come: str, cfgs: list[DictConfig], alone: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Ensemble.call

    def poisoned(self: Ensemble, calls: Mapping[int, Any]) -> dict[int, Any]:
        outputs = call(self, calls)
        if 0 in outputs and calls[0].role == "denoiser" and losses_of(runs[0]) == 3:
            outputs[0] = (outputs[0][0] * torch.nan,)
        return outputs

    runs = [prepare(cfg).run for cfg in cfgs]
    monkeypatch.setattr(Ensemble, "call", poisoned)
    if losses_come == "later":  # when the weights are spoiled already
        monkeypatch.setattr(PendingScalar, "is_available", False)
    _, ended = together(cfgs)
    assert isinstance(ended[0], NonFiniteLoss)
    assert ended[1:] == [None, None]
    assert runs[0].status == "failed"
    assert "step 4" in runs[0].error.read_text(encoding="utf-8")
    for run, other in zip(runs[1:], alone[1:], strict=True):
        assert_alike(run, other)


def losses_of(run: Run) -> int:
    return len(metrics(run)) if run.metrics.is_file() else 0


def test_a_pass_for_which_memory_is_not_enough_is_made_in_halves(
    cfgs: list[DictConfig], alone: list[Run], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    call, grad = Ensemble.call, torch.autograd.grad
    sizes: list[int] = []

    def small(self: Ensemble, calls: Mapping[int, Any]) -> dict[int, Any]:
        sizes.append(len(calls))
        if len(calls) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return call(self, calls)

    def smaller(outputs: Any, *rest: Any, **named: Any) -> Any:
        if len(outputs) > 1 and max(sizes) > 2:  # later on, there is enough for a pass, and not for its gradients
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
        return grad(outputs, *rest, **named)

    monkeypatch.setattr(Ensemble, "call", small)
    monkeypatch.setattr("imprint.batched_runs.pass_scheduler.torch.autograd.grad", smaller)
    runs, ended = together(cfgs)
    assert ended == [None] * 3
    assert set(sizes[-6:]) == {1}
    assert "from here on 2" in caplog.text
    assert "from here on 1" in caplog.text
    for run, other in zip(runs, alone, strict=True):
        assert_alike(run, other)


def test_passes_do_not_grow_beyond_the_memory_that_is_available(
    cfgs: list[DictConfig], alone: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Ensemble.call
    sizes: list[int] = []

    def counted(self: Ensemble, calls: Mapping[int, Any]) -> dict[int, Any]:
        sizes.append(len(calls))
        return call(self, calls)

    monkeypatch.setattr(Ensemble, "call", counted)
    monkeypatch.setattr(MemoryBudget, "allows", lambda self, size: size <= 2)
    runs, ended = together(cfgs)
    assert ended == [None] * 3
    assert max(sizes) == 2
    for run, other in zip(runs, alone, strict=True):
        assert_alike(run, other)


def test_one_for_which_memory_is_never_enough_fails_alone(
    cfgs: list[DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Ensemble.call

    def never(self: Ensemble, calls: Mapping[int, Any]) -> dict[int, Any]:
        if 1 in calls:
            raise torch.OutOfMemoryError("out of memory")
        return call(self, calls)

    monkeypatch.setattr(Ensemble, "call", never)
    runs, ended = together(cfgs)
    assert [run.status for run in runs] == ["finished", "failed", "finished"]
    assert "trainer.accumulation" in str(ended[1])


def test_a_pass_that_fails_is_made_by_each_to_find_the_culprit(
    cfgs: list[DictConfig], alone: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Ensemble.call

    def choosy(self: Ensemble, calls: Mapping[int, Any]) -> dict[int, Any]:
        if 2 in calls:
            raise ValueError("no such thing")
        return call(self, calls)

    monkeypatch.setattr(Ensemble, "call", choosy)
    runs, _ = together(cfgs)
    assert [run.status for run in runs] == ["finished", "finished", "failed"]
    assert "no such thing" in runs[2].error.read_text(encoding="utf-8")
    for run, other in zip(runs[:2], alone[:2], strict=True):
        assert_alike(run, other)


def interrupt_at(step: int, signum: int, run: Run, cfgs: Sequence[DictConfig]) -> None:
    """Trains until `run` has made so many steps."""
    call = Ensemble.call
    to_device: list[int] = []

    def interrupted(self: Ensemble, calls: Mapping[int, Any]) -> dict[int, Any]:
        if not to_device and losses_of(run) == step:
            to_device.append(signum)
            os.kill(os.getpid(), signum)
        return call(self, calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ensemble, "call", interrupted)
        with pytest.raises(KeyboardInterrupt):
            together(cfgs)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_group_goes_on_exactly(signum: int, cfgs: list[DictConfig], alone: list[Run]) -> None:
    runs = [prepare(cfg).run for cfg in cfgs]
    interrupt_at(4, signum, runs[0], cfgs)
    assert [run.status for run in runs] == ["running", "finished", "running"]
    assert runs[0].checkpoint.is_file()
    _, ended = together([cfgs[0], cfgs[2]])
    assert ended == [None, None]
    for run, other in zip(runs, alone, strict=True):
        assert_alike(run, other)


def test_what_began_together_goes_on_alone(cfgs: list[DictConfig], alone: list[Run]) -> None:
    interrupt_at(3, signal.SIGINT, prepare(cfgs[0]).run, cfgs)
    assert_alike(train(cfgs[0]), alone[0])


def test_one_that_another_process_trains_is_left_to_it(cfgs: list[DictConfig], tmp_path: Path) -> None:
    from filelock import FileLock

    runs = [prepare(cfg).run for cfg in cfgs]
    runs[1].folder.mkdir(parents=True)
    with FileLock(runs[1].lock):
        _, ended = together(cfgs)
    assert isinstance(ended[1], RunBusy)
    assert [run.status for run in runs] == ["finished", "absent", "finished"]
