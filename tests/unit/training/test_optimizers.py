"""Values that an optimiser refuses are named before anything is loaded."""

from functools import partial
from typing import Any

import pytest
import torch
from composed import compose

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.training.hparams import HParams
from imprint.training.optimizers import optimizer_problems, sharing_problems


def hparams(*settings: str) -> HParams:
    built: HParams = Constructor().build(resolved(compose("train", settings))["hparams"], "hparams")
    return built


def problems(kind: Any, *settings: str, **given: Any) -> list[str]:
    return [
        str(problem).partition(":")[0] for problem in optimizer_problems(partial(kind, **given), hparams(*settings))
    ]


def test_each_value_out_of_range_is_named_by_its_key() -> None:
    given = {"eps": -1.0, "betas": (1.5, 2.0), "weight_decay": 0.01, "fused": True}
    assert problems(torch.optim.AdamW, **given) == ["optimizer.eps=-1.0", "optimizer.betas=(1.5, 2.0)"]


def test_values_that_go_together_are_no_problem() -> None:
    assert problems(torch.optim.SGD, momentum=0.9, nesterov=True) == []
    assert problems(torch.optim.SGD, momentum=0.0, nesterov=True) == ["optimizer.nesterov=True"]


def test_a_class_that_says_nothing_of_its_settings_is_named_itself() -> None:
    def broken(params: object) -> torch.optim.Optimizer:
        raise RuntimeError("not here")

    assert problems(broken) == ["optimizer"]


@pytest.mark.parametrize(("precision", "found"), [("16-mixed", ["optimizer.fused=True"]), ("bf16-mixed", [])])
def test_a_fused_one_cannot_be_clipped_with_scaled_gradients(precision: str, found: list[str]) -> None:
    assert problems(torch.optim.AdamW, f"hparams.precision={precision}", fused=True) == found


class Foreign(torch.optim.AdamW):
    """Of another library."""


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (torch.optim.AdamW, {"fused": True}, None),
        (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}, None),
        (torch.optim.AdamW, {"eps": -1.0}, None),  # of which others tell
        (torch.optim.Adafactor, {}, "goes by whole weights"),
        (Foreign, {}, "does not know weights that devices share"),
    ],
)
def test_devices_that_share_weights_need_an_optimiser_of_single_numbers(
    kind: Any, given: dict[str, Any], said: str | None
) -> None:
    found = [str(problem) for problem in sharing_problems(partial(kind, **given))]
    assert len(found) == (said is not None)
    assert all(str(said) in each for each in found)
