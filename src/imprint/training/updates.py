"""What belongs to an update of the weights: clipping of the gradients before it, the moving average after it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.training_utils import EMAModel
from torch import nn
from torch.nn import Parameter
from torch.optim import AdamW

from imprint.libraries.torch import divide_gradients_in_step
from imprint.models.sharding import gathered_part, own_part, part_like, whole_number

AVERAGED = "shadow_params"  # in the library's state
EPSILON = 1e-6  # as in torch's own clipping


@torch.no_grad()
def clip_within_step(optimizer: AdamW, parameters: Sequence[Parameter], max_norm: float) -> None:
    """As `clip_grad_norm_`, but for rounding, and without a pass over the gradients: `optimizer`, which is fused,
    divides the gradients during its next step, and leaves them divided. There must be no gradient scaler, which uses
    the same mechanism."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = whole_number(nn.utils.get_total_norm(gradients))
    divisor = ((norm + EPSILON) / max_norm).clamp(min=1.0)
    divide_gradients_in_step(optimizer, divisor.to(optimizer.param_groups[0]["params"][0].device))


class MovingAverage:
    """diffusers' exponential moving average of a list of parameters, in the order in which the method returned them."""

    def __init__(self, parameters: Sequence[Parameter], decay: float) -> None:
        self._average = EMAModel(_own(parameters), decay=decay)

    def update(self, parameters: Sequence[Parameter]) -> None:
        own = _own(parameters)
        if own:
            self._average.to(own[0].device)
        self._average.step(own)

    @contextmanager
    def in_place_of(self, parameters: Sequence[Parameter]) -> Iterator[None]:
        own = _own(parameters)
        self._average.store(own)
        self._average.copy_to(own)
        try:
            yield
        finally:
            self._average.restore(own)

    def state_dict(self, parameters: Sequence[Parameter]) -> dict[str, Any]:
        """Of parameters that processes share, whole: on the first of them."""
        state = dict(self._average.state_dict())
        parts = zip(state[AVERAGED], parameters, strict=True)
        return {**state, AVERAGED: [gathered_part(part, parameter) for part, parameter in parts]}

    def load_state_dict(self, state: dict[str, Any], parameters: Sequence[Parameter]) -> None:
        """Raises TypeError, KeyError or ValueError for what is not the state of an average of these."""
        averages = zip(state[AVERAGED], parameters, strict=True)
        own = [own_part(part_like(average, parameter)) for average, parameter in averages]
        self._average.load_state_dict({**state, AVERAGED: own})


def _own(parameters: Sequence[Parameter]) -> list[Any]:
    """An average is as local as its numbers: each process has that of its own part."""
    return [own_part(parameter) for parameter in parameters]
