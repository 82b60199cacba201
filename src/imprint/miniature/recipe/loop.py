"""The recipe's one training loop: resumable at any moment, averaged, timed."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from imprint.miniature.recipe import checkpoint
from imprint.miniature.recipe.budget import Budget
from imprint.miniature.recipe.muon import optimisers
from imprint.miniature.recipe.settings import Schedule

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Course:
    """What a stage's run needs besides its networks and its loss."""

    name: str
    schedule: Schedule
    work: Path
    seed: int
    minutes: float | None
    checkpoint_every_s: float
    device: torch.device

    @property
    def path(self) -> Path:
        return self.work / f"{self.name}.pt"


def autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16)


def fit(
    network: Network, course: Course, loss_at: Callable[[Network, int], Tensor], quality: Callable[[Network], str]
) -> Network:
    """The averaged weights after training; continues from the course's checkpoint where there is one.

    `loss_at(network, step)` must draw whatever it draws from torch's global generator or from the step's number:
    the generator is seeded anew for every step, so a resumed run equals an uninterrupted one.
    `quality` says how good the averaged network is; it is printed at every checkpoint.
    """
    s, seed = course.schedule, course.seed
    network = network.to(course.device)
    average = copy.deepcopy(network)
    optims = optimisers(network, matrix_lr=s.matrix_lr, other_lr=s.other_lr)
    full_rates = [group["lr"] for o in optims for group in o.param_groups]
    budget = Budget(steps=s.steps, minutes=course.minutes, warmup=s.warmup, hold=s.hold)
    if (state := checkpoint.load(course.path)) is not None:
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        for o, saved in zip(optims, state["optimisers"], strict=True):
            o.load_state_dict(saved)
        budget.restore(state["budget"])
    saved_at, losses = time.monotonic(), list[float]()
    while budget.progress < 1:
        torch.manual_seed(seed * 1_000_003 + budget.step)
        loss = loss_at(network, budget.step)
        losses.append(loss.item())
        assert math.isfinite(losses[-1]), f"{course.name}: the loss is not finite at step {budget.step}"
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        rates = iter(full_rates)
        for o in optims:
            for group in o.param_groups:
                group["lr"] = next(rates) * budget.rate
            o.step()
            o.zero_grad()
        blend_into(average, network, decay=s.ema, step=budget.step)
        budget.step += 1
        if time.monotonic() - saved_at > course.checkpoint_every_s or budget.progress >= 1:
            checkpoint.save(
                course.path,
                {
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "optimisers": [o.state_dict() for o in optims],
                    "budget": budget.state(),
                },
            )
            with torch.no_grad():
                said = quality(average)
            mean = sum(losses) / len(losses)
            print(f"{course.name}: step {budget.step}, loss {mean:.4f}, {said}, {budget.left}", flush=True)
            saved_at = time.monotonic()
            losses.clear()
    return average


def blend_into(average: nn.Module, network: nn.Module, *, decay: float, step: int) -> None:
    """Moves the exponential average towards `network`, faster while the run is young."""
    keep = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for a, p in zip(average.parameters(), network.parameters(), strict=True):
            a.lerp_(p, 1 - keep)
