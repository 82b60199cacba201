"""Random numbers, each from a generator of its own.

Every random choice of a run is sampled on the CPU from a generator that is seeded by the run's seed and the choice's
name. So a result depends neither on the device, nor on how samples are spread over processes or batches, nor on whether
the run was interrupted: there is no RNG state to save.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from imprint.libraries.torch import seed_cpu
from imprint.seeds import seed_of

CPU = torch.device("cpu")


def generator(*name: int | str) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(*name))


def seed_layers(seed: int, device: torch.device) -> None:
    """Seeds the global generators, for layers that sample from them, such as dropout."""
    seed_cpu(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def named_layers(*name: int | str, device: torch.device = CPU) -> Iterator[None]:
    """Within, what samples from the global generators, as new layers, dropout and other libraries do, samples by name.
    Afterwards the generators are where they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        seed_layers(seed_of(*name), device)
        yield


def normal(names: Iterable[Sequence[int | str]], shape: Sequence[int]) -> Tensor:
    """One standard normal tensor of `shape` per name, stacked."""
    return torch.stack([torch.randn(*shape, generator=generator(*name)) for name in names])


def integers(names: Iterable[Sequence[int | str]], low: int, high: int) -> Tensor:
    """One integer in [low, high) per name."""
    return torch.stack([torch.randint(low, high, (), generator=generator(*name)) for name in names])


def uniform(*name: int | str) -> float:
    """One number in [0, 1)."""
    return float(torch.rand((), generator=generator(*name)))


def permutation(count: int, *name: int | str) -> list[int]:
    return torch.randperm(count, generator=generator(*name)).tolist()
