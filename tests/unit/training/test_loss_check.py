"""A loss that is not a number is told of, however late it comes from the device."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from small_runs import configure, only_run

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.device_transfer import PendingScalar
from imprint.errors import NonFiniteLoss
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.training.hparams import HParams
from imprint.training.loss_check import LossCheck
from imprint.verbs.train import train

HPARAMS: HParams = Constructor().build(resolved(compose("train"))["hparams"], "hparams")
GOOD, BAD = torch.tensor(1.0), torch.tensor(torch.inf)


def test_one_that_is_available_is_told_of_at_once() -> None:
    check = LossCheck(HPARAMS)
    check.check(GOOD, step=1, pictures=["a.png"])
    with pytest.raises(NonFiniteLoss, match=r"step 2 is inf \(pictures: a.png, b.png\)"):
        check.check(BAD, step=2, pictures=["b.png", "a.png", "b.png"])


def test_one_that_comes_later_is_told_of_before_the_next_or_when_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PendingScalar, "is_available", False)
    check = LossCheck(HPARAMS)
    check.check(BAD, step=1, pictures=["a.png"])
    with pytest.raises(NonFiniteLoss, match="step 1 is inf"):
        check.check(GOOD, step=2, pictures=["b.png"])
    check.check(BAD, step=3, pictures=["a.png"])
    with pytest.raises(NonFiniteLoss, match="step 3 is inf"):
        check.settle()
    check.settle()


@pytest.mark.parametrize(
    ("settings", "remedies"),
    [
        ({"clip": 1.0, "precision": "32"}, "Lower method.lr."),
        ({"clip": None, "precision": "32"}, "Lower method.lr or set hparams.clip=1.0."),
        ({"clip": None, "precision": "bf16-mixed"}, "Lower method.lr, set hparams.clip=1.0 or train with"),
    ],
)
def test_what_is_set_already_is_no_remedy(settings: dict[str, Any], remedies: str) -> None:
    with pytest.raises(NonFiniteLoss, match=remedies):
        LossCheck(replace(HPARAMS, **settings)).check(BAD, step=1, pictures=["a.png"])


@pytest.mark.parametrize("step", [3, 6])
def test_no_result_is_made_of_it(
    step: int, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither at the end nor on the way, where the step that went wrong is the one before."""
    losses, seen = NoisePrediction.losses, []

    def broken(self: NoisePrediction, *args, **kwargs):
        seen.append(1)
        found = losses(self, *args, **kwargs)
        return found._replace(total=found.total * torch.nan) if len(seen) == step else found

    monkeypatch.setattr(NoisePrediction, "losses", broken)
    monkeypatch.setattr(PendingScalar, "is_available", False)
    with pytest.raises(NonFiniteLoss, match=rf"step {step} is nan \(pictures: \d\.png"):
        train(configure(tiny_sd, pictures, tmp_path, "trainer.save_every=3", "trainer.checkpoint_every=3"))
    run = only_run(tmp_path)
    assert not run.result.exists()
    kept = [folder.name for folder in run.progress.glob("step-*")] if run.progress.exists() else []
    assert kept == ([] if step == 3 else ["step-000003"])
    assert run.checkpoint.exists() == (step == 6)
