"""Which GPUs a process may use, where several processes share a machine."""

import os
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

_held: list[FileLock] = []  # for as long as this process lives


def take_devices(claims: Path, *, places: int, each: int) -> None:
    """Restricts this process to GPUs of its own, `each` of them, if it has not been before: it takes one of `places`
    that no living process holds. Must be called before CUDA is used. Changes nothing where there is no GPU."""
    if _held:
        return
    import torch

    visible = visible_devices(os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count())
    for place in range(places if visible else 0):
        lock = FileLock(claims / f"{place}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        _held.append(lock)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(share(visible, place, each))
        return


def visible_devices(named: str | None, count: int) -> list[str]:
    """What CUDA calls the `count` devices here, of which the environment has `named` some."""
    names = [name.strip() for name in named.split(",")] if named else [str(index) for index in range(count)]
    return names[:count]


def share(devices: Sequence[str], place: int, each: int) -> list[str]:
    """The `each` devices of a place. Places beyond the last device begin again with the first one."""
    whole = max(len(devices) // each, 1)
    first = place % whole * each
    return list(devices[first : first + each])
