"""Which rows of a batch belong to which point, and the RNG state from which each point's layers sample."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class RngState:
    """A device has one random number generator for the layers of all points. Each point continues from its own state
    of it, which is kept here while the others sample."""

    def __init__(self, device: torch.device) -> None:
        """The generator's present state."""
        self._device = device
        self._state = _state(device)

    def restore(self) -> None:
        """Sets the generator to this state."""
        _set_state(self._device, self._state)

    @contextmanager
    def active(self) -> Iterator[None]:
        """What is sampled meanwhile is sampled from this state, which moves on."""
        self.restore()
        yield
        self._state = _state(self._device)


class BatchLayout:
    """The samples of each point are adjacent in the batch that is passing through the network: `rows` of each point,
    in their order, covering the batch; `rng_states` of the points whose layers drop something."""

    def __init__(self) -> None:
        self.rows: dict[int, slice] = {}
        self.rng_states: dict[int, RngState] = {}

    @property
    def size(self) -> int:
        """The number of samples in the batch."""
        return int(max(own.stop for own in self.rows.values()))

    @contextmanager
    def during(self, sizes: Mapping[int, int], rng_states: Mapping[int, RngState]) -> Iterator[None]:
        first = 0
        for point, size in sizes.items():
            self.rows[point] = slice(first, first + size)
            first += size
        self.rng_states.update(rng_states)
        try:
            yield
        finally:
            self.rows.clear()
            self.rng_states.clear()


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
