"""Optimisers for weights in bfloat16: no update is lost, and rounding by chance is right on average."""

from typing import Any

import pytest
import torch
from composed import compose
from torch.nn import Parameter

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.training import bfloat16
from imprint.training.optimizers import LARGE_SIDE, optimizer_problems, state_bytes

CAREFUL = ["adamw_kahan", "adamw_stochastic"]
LIBRARIES = {"adamw_kahan": "optimi", "adamw_stochastic": "torchao"}


def made(choice: str, *settings: str) -> Any:
    cfg = resolved(compose("train", [f"optimizer={choice}", *settings]))
    constructor = Constructor()
    make = constructor.build(cfg["optimizer"], "optimizer")
    assert not constructor.problems
    return make


def walked(choice: str, dtype: torch.dtype, *, rate: float, steps: int = 100) -> float:
    """How far weights of 1 have come on average, where every gradient is 1: `steps * rate`, if nothing is lost."""
    weight = Parameter(torch.ones(64, 64, dtype=dtype))
    optimizer = made(choice, "optimizer.weight_decay=0")([{"name": "trial", "params": [weight], "lr": rate}])
    for step in range(steps):
        torch.manual_seed(step)
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    return float((1 - weight.detach().double()).mean())


@pytest.mark.parametrize("choice", CAREFUL)
def test_updates_smaller_than_the_resolution_add_up(choice: str) -> None:
    pytest.importorskip(LIBRARIES[choice])
    rate = 1e-4  # below 1, the numbers of bfloat16 are 0.004 apart
    assert walked("adamw", torch.float32, rate=rate) == pytest.approx(100 * rate, rel=1e-3)
    assert walked(choice, torch.bfloat16, rate=rate) == pytest.approx(100 * rate, rel=0.2)


def test_plain_adamw_loses_them() -> None:
    assert walked("adamw", torch.bfloat16, rate=1e-4) == 0


@pytest.mark.parametrize("choice", CAREFUL)
def test_in_float32_they_are_adamw(choice: str) -> None:
    pytest.importorskip(LIBRARIES[choice])
    torch.manual_seed(0)
    start, gradients = torch.randn(8, 8), [torch.randn(8, 8) for _ in range(5)]
    found = []
    for each in (choice, "adamw"):
        weight = Parameter(start.clone())
        more = ["optimizer.betas=[0.9,0.99]", "optimizer.weight_decay=0.1", "optimizer.eps=1e-12"]
        optimizer = made(each, *more)([{"name": "trial", "params": [weight], "lr": 1e-2}])
        for gradient in gradients:
            weight.grad = gradient.clone()
            optimizer.step()
        found.append(weight.detach())
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("choice", "precision", "found"),
    [
        ("adamw", "bf16", ["hparams.precision", "hparams.ema"]),
        ("adafactor", "bf16", ["hparams.precision", "hparams.ema"]),
        ("adamw_kahan", "bf16", ["hparams.ema"]),
        ("adamw_stochastic", "bf16", ["hparams.ema"]),
        ("adamw", "bf16-mixed", []),
    ],
)
def test_who_loses_small_updates_trains_no_weights_in_bfloat16(choice: str, precision: str, found: list[str]) -> None:
    if choice in LIBRARIES:
        pytest.importorskip(LIBRARIES[choice])
    tree = resolved(compose("train", [f"hparams.precision={precision}", "hparams.ema=0.99"]))
    hparams = Constructor().build(tree["hparams"], "hparams")
    problems = [problem for problem in optimizer_problems(made(choice), hparams) if not isinstance(problem, str)]
    assert [problem.key for problem in problems] == found


@pytest.mark.parametrize("choice", CAREFUL)
def test_a_missing_library_is_named_with_the_extra(choice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bfloat16, "find_spec", lambda name: None)
    hparams = Constructor().build(resolved(compose("train"))["hparams"], "hparams")
    [problem] = optimizer_problems(made(choice), hparams)
    assert LIBRARIES[choice] in str(problem)
    assert 'pip install "imprint-diffusion[bf16]"' in str(problem)


@pytest.mark.parametrize(
    ("choice", "dtype", "expected"),
    [
        ("adamw", torch.float32, 8),
        ("adamw_kahan", torch.bfloat16, 6),
        ("adamw_stochastic", torch.bfloat16, 4),
        ("adamw8bit", torch.float32, 2),
        ("adafactor", torch.float32, 0),
        ("sgd", torch.float32, 4),
    ],
)
def test_what_state_takes_is_as_the_configuration_says(choice: str, dtype: torch.dtype, expected: float) -> None:
    for library in ({**LIBRARIES, "adamw8bit": "bitsandbytes"}.get(choice),):
        if library:
            pytest.importorskip(library)
    assert state_bytes(made(choice), dtype, LARGE_SIDE) == pytest.approx(expected, abs=0.05)
