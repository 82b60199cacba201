"""An exponential moving average of what trains."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from diffusers.training_utils import EMAModel
from torch.nn import Parameter


class MovingAverage:
    """diffusers' EMA over a list of parameters, in the order in which the method returned them."""

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
