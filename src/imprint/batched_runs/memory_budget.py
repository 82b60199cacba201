"""How many points fit into memory, estimated from the peak memory of smaller passes."""

import gc
from itertools import pairwise
from pathlib import Path

import torch

from imprint.reporting.reporter import peak_memory

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
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


def free_memory(device: torch.device) -> int | None:
    """Bytes; None where the system does not say."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + cached)
    found = [free for free in (_free_on_machine(), _free_in_container()) if free is not None]
    return min(found, default=None)


def _free_on_machine() -> int | None:
    if not MEMINFO.is_file():
        return None
    rows = dict(line.split(":", 1) for line in MEMINFO.read_text(encoding="ascii").splitlines() if ":" in line)
    return int(rows["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in rows else None


def _free_in_container() -> int | None:
    """What a container or a cluster's job may still take."""
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if not (limit.is_file() and used.is_file()):
        return None
    text = limit.read_text(encoding="ascii").strip()
    return None if text == "max" else int(text) - int(used.read_text(encoding="ascii"))
