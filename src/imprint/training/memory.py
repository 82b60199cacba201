"""The memory that a device has in all."""

import os
from pathlib import Path

import torch

CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


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
