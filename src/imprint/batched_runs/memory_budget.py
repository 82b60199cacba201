"""How many points fit into memory, estimated from the peak memory of smaller passes."""

import gc
from itertools import pairwise

import torch

from imprint.reporting.reporter import peak_memory
from imprint.training.memory import free_memory

USABLE = 0.8  # of the free memory: other programs need some


class MemoryBudget:
    """Compares the peak memory of passes of different sizes. Where memory cannot be measured, every size is allowed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._peaks: dict[int, int] = {}  # in bytes, by the number of points in a pass

    def record(self, size: int) -> None:
        """To be called after a pass of `size` points."""
        self._peaks[size] = peak_memory(self._device)

    def allows(self, size: int) -> bool:
        """Whether a pass of `size` points fits into what is free."""
        free = free_memory(self._device)
        return free is None or size * self._bytes_per_point() <= USABLE * free

    def _bytes_per_point(self) -> float:
        sizes = sorted(self._peaks)
        pairs = pairwise(sizes)
        return max(((self._peaks[more] - self._peaks[less]) / (more - less) for less, more in pairs), default=0.0)


def release_memory() -> None:
    """Of a failed pass."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
