"""Where the generator stands from which a point's layers draw what they drop."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class RngState:
    """A device has one generator, from which the layers of all points draw; each point goes on from its own place in
    it, which is kept here while the others draw."""

    def __init__(self, device: torch.device) -> None:
        """As the generator stands now."""
        self._device = device
        self._state = _state(device)

    def resume(self) -> None:
        """The generator stands here again."""
        _set_state(self._device, self._state)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """What is drawn meanwhile is drawn from here, and the next goes on behind it."""
        self.resume()
        yield
        self._state = _state(self._device)


def drops(part: nn.Module) -> bool:
    """Whether it has a layer that draws while it learns."""
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in part.modules())


def _state(device: torch.device) -> Tensor:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else torch.get_rng_state()


def _set_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)
