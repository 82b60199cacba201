"""Seconds, with the device's work done."""

import time
from collections.abc import Callable

import torch


def waited(device: torch.device) -> float:
    """The time when everything that was asked of `device` so far is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def timed(work: Callable[[], object], device: torch.device) -> float:
    began = waited(device)
    work()
    return waited(device) - began
