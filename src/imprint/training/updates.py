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

EPSILON = 1e-6  # as in torch's own clipping


@torch.no_grad()
def clip_within_step(optimizer: AdamW, parameters: Sequence[Parameter], max_norm: float) -> None:
    """As `clip_grad_norm_`, but for rounding, and without a pass over the gradients: `optimizer`, which is fused,
    divides the gradients during its next step, and leaves them divided. There must be no gradient scaler, which uses
    the same mechanism."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    divisor = ((norm + EPSILON) / max_norm).clamp(min=1.0)
    divide_gradients_in_step(optimizer, divisor.to(optimizer.param_groups[0]["params"][0].device))


class MovingAverage:
    """diffusers' exponential moving average of a list of parameters, in the order in which the method returned them."""

    def __init__(self, parameters: Sequence[Parameter], decay: float) -> None:
        self._average = EMAModel(parameters, decay=decay)

    def update(self, parameters: Sequence[Parameter]) -> None:
        if parameters:
            self._average.to(parameters[0].device)
        self._average.step(parameters)

    @contextmanager
    def in_place_of(self, parameters: Sequence[Parameter]) -> Iterator[None]:
        self._average.store(parameters)
        self._average.copy_to(parameters)
        try:
            yield
        finally:
            self._average.restore(parameters)

    def state_dict(self) -> dict[str, Any]:
        return dict(self._average.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state)
