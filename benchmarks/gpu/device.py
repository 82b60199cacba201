"""The device that is measured: the GPU, or the CPU where there is none. What is timed is waited for."""

import time
from collections.abc import Callable
from typing import Any

import torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ON_GPU = DEVICE.type == "cuda"
LEAST = 0.3  # seconds that a repeated work is measured for


def synchronize() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def seconds_each(work: Callable[[], Any], *, at_least: int = 3) -> float:
    """Of one of many, after a first that is not counted."""
    work()
    synchronize()
    done, began = 0, time.perf_counter()
    while done < at_least or time.perf_counter() - began < LEAST:
        work()
        done += 1
        if done % 8 == 0:
            synchronize()
    synchronize()
    return (time.perf_counter() - began) / done


def forget_peak() -> None:
    if ON_GPU:
        torch.cuda.reset_peak_memory_stats()


def peak_gb() -> float | None:
    """None on a CPU, whose peak is the process's since it began."""
    return round(torch.cuda.max_memory_allocated() / 1e9, 3) if ON_GPU else None
