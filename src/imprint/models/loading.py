"""How a model is loaded: in which precision, onto which device, and which of its parts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import nn

from imprint.libraries.diffusers import kept_in_float32
from imprint.libraries.process import return_freed_memory

KEPT_FREE = 2**27  # bytes that the C library may keep for itself while weights are copied


@dataclass(frozen=True, kw_only=True)
class Loading:
    """One part is read after the other: as it is, cast and moved before the next one is opened.

    dtype    of all weights; whatever needs a higher precision has it nevertheless
    exact    roles of the parts that have float32 weights whatever the `dtype` is
    absent   roles of the parts that are not read yet (see `Residency`)
    device   None: each part stays where the library reads it, mapped from its file
    at_home  roles of the parts that are read to the CPU's memory whatever the `device` is (see `BlockSwap`)
    mapped   roles of the parts of which that is true whatever the `device` is
    """

    dtype: torch.dtype
    exact: frozenset[str]
    absent: frozenset[str]
    device: torch.device | None
    at_home: frozenset[str] = frozenset()
    mapped: frozenset[str] = frozenset()


WHOLE = Loading(dtype=torch.float32, exact=frozenset(), absent=frozenset(), device=None)


def whole_on(device: torch.device) -> Loading:
    """All in full precision. On the CPU, parts stay mapped from their files, as `WHOLE` leaves them."""
    return replace(WHOLE, device=None if device.type == "cpu" else device)


def cast(module: nn.Module, dtype: torch.dtype) -> None:
    """Casts all weights but those that the library keeps in float32. Buffers stay as they are: some are positions or
    statistics that need their precision."""
    _cast(module, module.parameters(), dtype)


def cast_frozen(module: nn.Module, dtype: torch.dtype) -> None:
    """Casts frozen weights, which need no higher precision than the computation; the same ones."""
    _cast(module, (parameter for parameter in module.parameters() if not parameter.requires_grad), dtype)


def cast_learning(module: nn.Module, dtype: torch.dtype) -> None:
    """Casts what learns; the same ones."""
    _cast(module, (parameter for parameter in module.parameters() if parameter.requires_grad), dtype)


def _cast(module: nn.Module, parameters: Iterable[nn.Parameter], dtype: torch.dtype) -> None:
    kept = {id(parameter) for parameter in kept_in_float32(module)}
    for parameter in parameters:
        if parameter.is_floating_point() and id(parameter) not in kept:  # the bytes of quantised weights are no numbers
            parameter.data = parameter.data.to(dtype)


def place(module: nn.Module, device: torch.device) -> None:
    """Moves a module to a device; one for the CPU is copied out of its file."""
    if device.type == "cpu":
        align(module)
    module.to(device)


def align(module: nn.Module) -> None:
    """Copies weights out of the memory-mapped file that they were read from, where they start at any byte, to memory
    that PyTorch allocates, at multiples of 64. MKL's rounding depends on the alignment: without this, a copy of the
    model (as of points that train in turn), or the same weights in a file with a longer header, have other last
    digits. One tensor at a time, so that no second copy of the model is in memory."""
    freed = 0
    for weight in (*module.parameters(), *module.buffers()):
        weight.data = weight.data.clone()
        freed += weight.nbytes
        if freed > KEPT_FREE:
            return_freed_memory()
            freed = 0


def rounded_buffers(module: nn.Module) -> set[str]:
    """The buffers that a library has cast together with the weights."""
    return {
        name for name, buffer in module.named_buffers() if buffer.is_floating_point() and buffer.dtype != torch.float32
    }
