"""How many points memory has room for, going by what passes of fewer took."""

import gc
from itertools import pairwise
from pathlib import Path

import torch

from imprint.reporting.reporter import peak_memory

MEMORY = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup")
USABLE = 0.8  # of what is free: others want some, too


class MemoryBudget:
    """Watches the peak of memory from one pass to a larger one. What it cannot know, it allows."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._peaks: dict[int, int] = {}  # in bytes, by the points of a pass

    def note(self, size: int) -> None:
        """A pass of so many points has been made."""
        self._peaks[size] = peak_memory(self._device)

    def allows(self, size: int) -> bool:
        """Whether a pass of so many points fits beside what is there already."""
        free = free_memory(self._device)
        return free is None or size * self._bytes_of_a_point() <= USABLE * free

    def _bytes_of_a_point(self) -> float:
        sizes = sorted(self._peaks)
        pairs = pairwise(sizes)
        return max(((self._peaks[more] - self._peaks[less]) / (more - less) for less, more in pairs), default=0.0)


def release_memory() -> None:
    """Gives back what a failed pass has left."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_memory(device: torch.device) -> int | None:
    """Bytes; None where the system does not say."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + kept)
    found = [free for free in (_of_the_machine(), _of_the_container()) if free is not None]
    return min(found, default=None)


def _of_the_machine() -> int | None:
    if not MEMORY.is_file():
        return None
    rows = dict(line.split(":", 1) for line in MEMORY.read_text(encoding="ascii").splitlines() if ":" in line)
    return int(rows["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in rows else None


def _of_the_container() -> int | None:
    """What a container or a cluster's job may still take."""
    limit, used = CONTAINER / "memory.max", CONTAINER / "memory.current"
    if not (limit.is_file() and used.is_file()):
        return None
    told = limit.read_text(encoding="ascii").strip()
    return None if told == "max" else int(told) - int(used.read_text(encoding="ascii"))
