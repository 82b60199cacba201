"""The memory that a plan is for: what is free here, or the size that trainer.memory names."""

from typing import NamedTuple

import torch

from imprint.training.memory import AUTO, free_memory, stated_memory, total_memory
from imprint.training.trainer import TrainerSettings

GPU = torch.device("cuda", 0)
# Of a GPU whose size is stated: what CUDA takes for itself in a process, and the share that its allocator can use. Both
# are usual figures, not measured here.
CONTEXT, USABLE = 2**29, 0.95


class Room(NamedTuple):
    device: torch.device  # the kind that the plan is for
    bytes: int | None  # that a run may take of it; None: the system does not say
    words: str  # for messages


def room_of(settings: TrainerSettings) -> Room | None:
    """None where no estimate is asked for."""
    if settings.memory is None:
        return None
    device = planned_device(settings)
    if settings.memory != AUTO:
        size = stated_memory(settings.memory)
        return Room(device, _usable(size, device), f"a device of {settings.memory}")
    free = free_memory(settings.own_device)
    return Room(device, free, "what is free here")


def whole_room(settings: TrainerSettings) -> int | None:
    """Of a device that nothing else uses: the same for all processes."""
    if settings.memory is None:
        return None
    device = planned_device(settings)
    size = total_memory(settings.device) if settings.memory == AUTO else stated_memory(settings.memory)
    return None if size is None else _usable(size, device)


def planned_device(settings: TrainerSettings) -> torch.device:
    """Where a size is stated and no device is, the plan is for a GPU."""
    if settings.memory not in (None, AUTO) and settings.accelerator == "auto":
        return GPU
    return settings.device


def _usable(size: int, device: torch.device) -> int:
    return max(0, round(USABLE * (size - CONTEXT))) if device.type == "cuda" else size
