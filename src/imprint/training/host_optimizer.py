"""An optimiser whose state lies in the machine's memory, where it updates copies of the weights.

torchao's CPUOffloadOptimizer does so, too, for CUDA alone, and with an optimiser for each weight: its checkpoints and
groups are none that schedules, and runs that go on on another machine, know. Here the checkpoint is the one that the
optimiser would write by itself, and a run may go on with either.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer


class HostOptimizer(Optimizer):
    """To the outside, an optimiser of the weights on the device: gradients are clipped and rates set there."""

    def __init__(self, groups: Sequence[Mapping[str, Any]], *, make: Callable[..., Optimizer]) -> None:
        """`make` is the optimiser's class, of which each group brings the learning rate."""
        super().__init__([dict(group) for group in groups], {})
        copies = [{**group, "params": [_copy(weight) for weight in group["params"]]} for group in groups]
        self.own = make(copies)
        _tell(self.own, self)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        _tell(self, self.own)
        for weight, copy in self._pairs():
            copy.grad = None if weight.grad is None else weight.grad.to("cpu")
        self.own.step()
        _tell(self.own, self)  # some count steps there
        for weight, copy in self._pairs():
            if copy.grad is not None:
                weight.copy_(copy)
                copy.grad = None
        return loss

    def state_dict(self) -> dict[str, Any]:
        _tell(self, self.own)
        return self.own.state_dict()

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.own.load_state_dict(state_dict)
        _tell(self.own, self)
        for weight, copy in self._pairs():
            copy.copy_(weight)

    def _pairs(self) -> Iterator[tuple[Parameter, Parameter]]:
        for group, own in zip(self.param_groups, self.own.param_groups, strict=True):
            yield from zip(group["params"], own["params"], strict=True)


def who_updates(optimizer: Optimizer) -> Optimizer:
    """The optimiser that computes: it, or the one that it wraps."""
    return optimizer.own if isinstance(optimizer, HostOptimizer) else optimizer


def _copy(weight: Parameter) -> Parameter:
    copied = torch.empty_like(weight.detach(), device="cpu", pin_memory=weight.device.type == "cuda")
    copied.copy_(weight.detach())
    return Parameter(copied)


def _tell(one: Optimizer, other: Optimizer) -> None:
    """Rates, and whatever else is the same for a group's weights."""
    for group, own in zip(one.param_groups, other.param_groups, strict=True):
        own.update({key: value for key, value in group.items() if key != "params"})
