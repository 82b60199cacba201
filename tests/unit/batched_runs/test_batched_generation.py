"""Points that draw side by side have the pictures that they have alone."""

import os
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from drawing import AS_TRAINED, PROMPTS, ROUNDING, SEEDS, distance, disturb, draw
from launched import SCORED
from lessons import assembled
from omegaconf import DictConfig
from PIL import Image
from rounding import near_tensors
from small_runs import configure
from torch import Tensor

from imprint.batched_runs.batched_training import BatchedTraining
from imprint.batched_runs.batching import first_batch
from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.ensemble import Ensemble
from imprint.batched_runs.memory_budget import MemoryBudget
from imprint.batched_runs.pass_scheduler import PassScheduler, StopSignal
from imprint.batched_runs.requests import Autocast, Call
from imprint.evaluation.encoders.pretrained import Pretrained
from imprint.evaluation.features import FeatureStore
from imprint.models.families.sd import StableDiffusion
from imprint.pictures.store import PictureStore
from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare
from imprint.reporting.sample_index import read_samples
from imprint.runs import Run
from imprint.verbs.train import train

POINTS = [
    ["method=lora", "method.rank=2"],
    [
        "method=lora",
        "method.rank=4",
        "method.targets=[attention,convolutions]",
        "method.roles=[denoiser,text]",
        "method.dropout=0.5",
    ],
    ["method=textual_inversion", "dataset.identifier='<new>'"],
]
DRAWN = ["samples=default", "samples.every=3", "samples.seeds=[0,1]", "samples.prompts=['a {identifier} dog']"]
# Each step takes a prediction for the prompt so many times, and one without it once less.
PASSES = AS_TRAINED.steps * (2 * AS_TRAINED.guidance - 1)
CPU = Autocast.current(torch.device("cpu"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The latents of all pictures that are drawn, in order."""
    seen: list[Tensor] = []
    decode = StableDiffusion.decode

    def watched(model: StableDiffusion, latents_BCHW: Tensor) -> Tensor:
        seen.append(latents_BCHW)
        return decode(model, latents_BCHW)

    monkeypatch.setattr(StableDiffusion, "decode", watched)
    return seen


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The points of each pass in which pictures were drawn."""
    seen: list[list[int]] = []
    call = Ensemble.call

    def watched(ensemble: Ensemble, calls: Mapping[int, Call]) -> dict[int, Any]:
        if not next(iter(calls.values())).needs_grad:
            seen.append(sorted(calls))
        return call(ensemble, calls)

    monkeypatch.setattr(Ensemble, "call", watched)
    return seen


def together(cfgs: Sequence[DictConfig]) -> tuple[BatchedTraining, list[Run]]:
    plans = [prepare(cfg) for cfg in cfgs]
    training = BatchedTraining(list(zip(plans, cfgs, strict=True)))
    assert training.train() == [None] * len(plans)
    return training, [plan.run for plan in plans]


def pictures_in(folder: Path) -> list[Image.Image]:
    return [Image.open(file) for file in sorted(folder.rglob("*-*.png"))]


@pytest.mark.numeric
def test_the_same_weights_draw_the_same(
    tiny_sd: Path, pictures: Path, tmp_path: Path, decoded: list[Tensor], passes: list[list[int]]
) -> None:
    cfgs = [configure(tiny_sd, pictures, tmp_path, *point) for point in POINTS]
    for cfg in cfgs:
        module = assembled(cfg)
        disturb(torch.nn.ParameterList(module.trained()))
        draw(module.model)
    alone = torch.stack(decoded).view(len(POINTS), len(SEEDS), -1)
    decoded.clear()
    plans = [prepare(cfg) for cfg in cfgs]
    training = BatchedTraining(list(zip(plans, cfgs, strict=True)))
    drawn: dict[int, Tensor] = {}

    def live(point: int, plan: Plan, coroutine: Coroutine) -> None:
        module = training._assemble(point, plan, coroutine)
        disturb(torch.nn.ParameterList(module.trained()))
        with module.generating():
            draw(module.model)
        drawn[point] = torch.stack(decoded[-len(PROMPTS) :])

    coroutines = {point: Coroutine(str(point), partial(live, point, plan)) for point, plan in enumerate(plans)}
    PassScheduler(coroutines, training._ensemble, MemoryBudget(torch.device("cpu")), first_size=1).run(StopSignal())
    assert [coroutine.error for coroutine in coroutines.values()] == [None] * len(POINTS)
    assert passes == [[0, 1, 2]] * len(passes)
    for point, latents in drawn.items():
        assert near_tensors([latents.view(len(SEEDS), -1)], [alone[point]], PASSES)


def test_samples_on_the_way_are_those_of_runs_alone(
    tiny_sd: Path, pictures: Path, tmp_path: Path, passes: list[list[int]]
) -> None:
    own = ["method=lora", *DRAWN]
    points = [["seed=1", "hparams.ema=0.9"], ["seed=2"], ["method.rank=2", "hparams.steps=5"]]
    _, runs = together([configure(tiny_sd, pictures, tmp_path / "a", *own, *point) for point in points])
    for run, point in zip(runs, points, strict=True):
        alone = train(configure(tiny_sd, pictures, tmp_path / "b", *own, *point))
        assert read_samples(run) == read_samples(alone)
        assert distance(pictures_in(run.samples), pictures_in(alone.samples)) <= ROUNDING
    # Untuned, all draw the same, so one does for all; later, those who are at the same step draw together.
    assert [*dict.fromkeys(map(tuple, passes))] == [(0,), (0, 1, 2), (2,), (0, 1)]


def test_what_cannot_be_drawn_together_is_drawn_alone(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Ensemble.call

    def short(ensemble: Ensemble, calls: Mapping[int, Call]) -> dict[int, Any]:
        if len(calls) > 1 and not next(iter(calls.values())).needs_grad:
            raise torch.OutOfMemoryError("out of memory")
        return call(ensemble, calls)

    monkeypatch.setattr(Ensemble, "call", short)
    cfgs = [configure(tiny_sd, pictures, tmp_path, "method=lora", *DRAWN, f"seed={seed}") for seed in (0, 1)]
    _, runs = together(cfgs)
    assert [len(pictures_in(run.samples)) for run in runs] == [6, 6]


def test_who_was_stopped_while_drawing_goes_on_exactly(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    points = [["method=lora", *DRAWN, f"seed={seed}"] for seed in (0, 1)]
    cfgs = [configure(tiny_sd, pictures, tmp_path / "a", *point) for point in points]
    call, sent = Ensemble.call, []

    def interrupted(ensemble: Ensemble, calls: Mapping[int, Call]) -> dict[int, Any]:
        if not sent and len(calls) == 2 and not next(iter(calls.values())).needs_grad:
            sent.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return call(ensemble, calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ensemble, "call", interrupted)
        with pytest.raises(KeyboardInterrupt):
            together(cfgs)
    _, runs = together(cfgs)
    for run, point in zip(runs, points, strict=True):
        alone = train(configure(tiny_sd, pictures, tmp_path / "b", *point))
        assert read_samples(run) == read_samples(alone)
        assert distance(pictures_in(run.samples), pictures_in(alone.samples)) <= ROUNDING


def test_what_results_are_scored_by_is_drawn_together(
    tiny_sd: Path, pictures: Path, tmp_path: Path, passes: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))  # in which no features are
    points = [[*point, *SCORED, "evaluation.rows=[]"] for point in POINTS]
    cfgs = [configure(tiny_sd, pictures, tmp_path / "a", *point) for point in points]
    training, runs = together(cfgs)
    passes.clear()
    read: list[str] = []
    load = Pretrained.load
    monkeypatch.setattr(
        Pretrained, "load", lambda self, *given, **named: read.append(self.source) or load(self, *given, **named)
    )
    training.evaluate()
    assert passes
    assert passes == [[0, 1, 2]] * len(passes)
    assert len(read) == 2, "CLIP and DINO have seen the pictures of all"
    with monkeypatch.context() as patch:
        patch.setattr(PictureStore, "add", lambda *_: pytest.fail("all pictures were there"))
        for cfg in cfgs:
            train(cfg)
    assert len(read) == 3, "the first has its prompts read, which are those of all"
    for run, point in zip(runs, points, strict=True):
        alone = train(configure(tiny_sd, pictures, tmp_path / "b", *point))
        assert distance(pictures_in(run.folder / "pictures"), pictures_in(alone.folder / "pictures")) <= ROUNDING
        assert [sheet.name for sheet in run.folder.glob("scores/*.json")] == [
            sheet.name for sheet in alone.folder.glob("scores/*.json")
        ]


def test_pictures_that_cannot_be_seen_together_are_seen_when_each_run_is_scored(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cfgs = [configure(tiny_sd, pictures, tmp_path, *point, *SCORED, "evaluation.rows=[]") for point in POINTS[:2]]
    training, runs = together(cfgs)
    with monkeypatch.context() as patch:
        patch.setattr(FeatureStore, "images", fail)
        training.evaluate()
    assert "no room beside the network" in caplog.text
    for cfg, run in zip(cfgs, runs, strict=True):
        train(cfg)
        assert list(run.folder.glob("scores/*.json"))


def fail(*_: Any) -> Any:
    raise torch.OutOfMemoryError("no room beside the network")


@pytest.mark.parametrize(("side", "at_once"), [(8, 4), (16, 4), (64, 1), (96, 1)])
def test_a_batch_is_as_large_as_makes_it_faster(side: int, at_once: int) -> None:
    call = Call("denoiser", (torch.zeros(16, 4, side, side),), {}, CPU, needs_grad=False)
    assert list(first_batch(dict.fromkeys(range(9), call))) == list(range(at_once))
