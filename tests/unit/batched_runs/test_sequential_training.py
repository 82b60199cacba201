"""Runs one after another on what is loaded once have the losses and files that they have alone, to the last digit: all
of them begin on weights that lie alike (`assemble.align`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from safetensors.torch import load_file
from small_runs import configure, losses

from imprint.batched_runs.sequential_training import SequentialTraining
from imprint.errors import NonFiniteLoss
from imprint.models.families.sd import StableDiffusion, StableDiffusionSource
from imprint.planning.prepare import prepare
from imprint.runs import Run
from imprint.verbs.train import train

POINTS = [["method=dreambooth"], ["method=dreambooth", "seed=1", "prior=generated", "prior.count=3"], ["method=loha"]]

Configured = Callable[..., DictConfig]


@pytest.fixture
def point(tiny_sd: Path, pictures: Path, tmp_path: Path) -> Configured:
    return lambda *overrides: configure(tiny_sd, pictures, tmp_path / "runs", *overrides)


def trained(sequential: SequentialTraining, cfg: DictConfig) -> tuple[Run, BaseException | None]:
    plan = prepare(cfg)
    return plan.run, sequential.train(plan, cfg)


@pytest.mark.numeric
def test_each_is_what_it_is_alone(point: Configured, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    sequential = SequentialTraining()
    for overrides in POINTS:
        run, ended = trained(sequential, point(*overrides))
        assert ended is None
        alone = train(configure(tiny_sd, pictures, tmp_path / "alone", *overrides))
        assert losses(run) == losses(alone)
        files = sorted(file.relative_to(alone.result) for file in alone.result.rglob("*.safetensors"))
        assert files
        for file in files:
            ours, theirs = load_file(run.result / file), load_file(alone.result / file)
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_model_is_loaded_and_a_picture_and_a_caption_encoded_once(
    point: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def counted(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            done.append(name)
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, call)

    counted(StableDiffusionSource, "load")
    counted(StableDiffusion, "encode")
    counted(StableDiffusion, "encode_text")
    sequential = SequentialTraining()
    trained(sequential, point("method=dreambooth"))
    first = len(done)
    assert done.count("load") == 1
    assert done.count("encode") > 1
    assert done.count("encode_text") == 1
    trained(sequential, point("method=dreambooth", "seed=1"))
    assert len(done) == first


def test_what_ends_one_early_is_returned_and_leaves_the_next_as_it_is(point: Configured) -> None:
    sequential = SequentialTraining()
    run, ended = trained(sequential, point("method=dreambooth", "method.lr=1e30"))
    assert isinstance(ended, NonFiniteLoss)
    assert run.status == "failed"
    run, ended = trained(sequential, point("method=dreambooth"))
    assert ended is None
    assert run.status == "finished"


def test_another_model_takes_the_place_of_the_first(point: Configured, tiny_sd_v: Path) -> None:
    sequential = SequentialTraining()
    first, _ = trained(sequential, point("method=dreambooth"))
    second, _ = trained(sequential, point("method=dreambooth", f"model.source={tiny_sd_v}"))
    assert [run.status for run in (first, second)] == ["finished"] * 2
    assert losses(first) != losses(second)
