"""The memory that a device has: in all, and free."""

import os
import re
from pathlib import Path

import torch

CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")

AUTO = "auto"  # what is free on the device
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(GB|GiB|MB|MiB)")  # as devices are sold: 24GB are 24 GiB
UNITS = {"G": 2**30, "M": 2**20}


def total_memory(device: torch.device) -> int | None:
    """Bytes; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # no such system call, or no such name
        return None
    text = CONTAINER_LIMIT.read_text(encoding="ascii").strip() if CONTAINER_LIMIT.is_file() else "max"
    return machine if text == "max" else min(machine, int(text))


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


def stated_memory(text: str) -> int:
    """Bytes. Raises ValueError."""
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"memory={text!r}: give {AUTO}, a size such as 24GB, or null.")
    return round(float(found[1]) * UNITS[found[2][0]])
