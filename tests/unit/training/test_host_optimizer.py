"""An optimiser in the machine's memory does what it would do on the device, and its checkpoint is the same."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from diffusers.optimization import get_scheduler
from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer

from imprint.training.bfloat16 import adamw_kahan, adamw_stochastic
from imprint.training.host_optimizer import HostOptimizer
from imprint.training.updates import clip_within_step

STEPS = 6
KINDS: dict[str, Callable[..., Optimizer]] = {
    "adamw": partial(AdamW, fused=True),
    "sgd": partial(SGD, momentum=0.9),
    "adamw_kahan": partial(adamw_kahan, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0),
    "adamw_stochastic": partial(adamw_stochastic, betas=(0.9, 0.99), eps=1e-8, weight_decay=1e-2),
}


class Training:
    """Of weights by gradients that are the same each time, with a rate that changes."""

    def __init__(self, make: Callable[..., Optimizer], *, dtype: torch.dtype = torch.float32) -> None:
        torch.manual_seed(0)
        self.weights = [Parameter(torch.randn(shape).to(dtype)) for shape in ((16, 8), (8,))]
        groups = [
            {"name": str(number), "params": [weight], "lr": 1e-2 * (number + 1)}
            for number, weight in enumerate(self.weights)
        ]
        self.optimizer = make(groups)
        self.rate = get_scheduler("cosine", self.optimizer, num_warmup_steps=0, num_training_steps=STEPS)

    def go(self, steps: range) -> "Training":
        for step in steps:
            generator = torch.Generator().manual_seed(step)
            torch.manual_seed(step)
            for number, weight in enumerate(self.weights):
                gradient = torch.randn(weight.shape, generator=generator).to(weight.dtype)
                weight.grad = None if (step, number) == (1, 1) else gradient  # a step leaves one as it is
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.rate.step()
        return self

    def continued(self, make: Callable[..., Optimizer]) -> "Training":
        other = Training(make, dtype=self.weights[0].dtype)
        with torch.no_grad():
            for mine, its in zip(self.weights, other.weights, strict=True):
                its.copy_(mine)
        other.optimizer.load_state_dict(self.optimizer.state_dict())
        other.rate.load_state_dict(self.rate.state_dict())
        return other


def same(one: Training, other: Training) -> bool:
    return all(map(torch.equal, one.weights, other.weights))


def kinds(name: str) -> tuple[Callable[..., Optimizer], Callable[..., Optimizer], torch.dtype]:
    for choice, library in {"adamw_kahan": "optimi", "adamw_stochastic": "torchao"}.items():
        if name == choice:
            pytest.importorskip(library)
    dtype = torch.bfloat16 if name.startswith("adamw_") else torch.float32
    return KINDS[name], partial(HostOptimizer, make=KINDS[name]), dtype


@pytest.mark.parametrize("name", KINDS)
def test_every_update_is_the_same(name: str) -> None:
    usual, offloaded, dtype = kinds(name)
    expected = Training(usual, dtype=dtype).go(range(STEPS))
    assert same(Training(offloaded, dtype=dtype).go(range(STEPS)), expected)
    assert not same(Training(usual, dtype=dtype), expected)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("way", ["there", "back"])
def test_a_run_goes_on_with_either(name: str, way: str) -> None:
    usual, offloaded, dtype = kinds(name)
    first, second = (usual, offloaded) if way == "there" else (offloaded, usual)
    whole = Training(usual, dtype=dtype).go(range(STEPS))
    stopped = Training(first, dtype=dtype).go(range(3))
    assert same(stopped.continued(second).go(range(3, STEPS)), whole)


def test_its_state_is_that_of_copies() -> None:
    training = Training(partial(HostOptimizer, make=KINDS["adamw"])).go(range(2))
    optimizer: Any = training.optimizer
    assert not optimizer.state
    copies = {id(weight) for weight in optimizer.own.state}
    assert len(copies) == len(training.weights)
    assert copies.isdisjoint(map(id, training.weights))
    assert all(weight.grad is None for weight in optimizer.own.state)


def test_what_a_closure_computes_is_what_is_learned() -> None:
    def learned(make: Callable[..., Optimizer]) -> torch.Tensor:
        weight = Parameter(torch.ones(4))
        optimizer = make([{"name": "one", "params": [weight], "lr": 0.1}])

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = (weight * torch.arange(4)).square().sum()
            loss.backward()
            return loss

        assert float(optimizer.step(closure)) == 14
        return weight.detach()

    assert torch.equal(learned(partial(HostOptimizer, make=KINDS["adamw"])), learned(KINDS["adamw"]))


def test_gradients_are_clipped_within_its_step() -> None:
    def learned(make: Callable[..., Optimizer]) -> list[torch.Tensor]:
        training = Training(make)
        for weight in training.weights:
            weight.grad = torch.full_like(weight, 3.0)
        own = getattr(training.optimizer, "own", training.optimizer)
        clip_within_step(own, training.weights, 0.5)
        training.optimizer.step()
        return [weight.detach() for weight in training.weights]

    assert all(map(torch.equal, learned(partial(HostOptimizer, make=KINDS["adamw"])), learned(KINDS["adamw"])))
