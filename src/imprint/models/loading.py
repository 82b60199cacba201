"""How a model is loaded: in which precision, onto which device, and which of its parts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from imprint.libraries.diffusers import kept_in_float32
from imprint.libraries.process import MappedFiles, return_freed_memory

KEPT_FREE = 2**27  # bytes that the C library may keep for itself while weights are copied
LITTLE = 2**25  # bytes of a network whose files' pages may stay: to find where they are takes a twentieth of a second


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


def settle(module: nn.Module, dtype: torch.dtype, device: torch.device | None) -> None:
    """`cast` of a network that was just read, and `place`, if there is a `device`: one layer after another, each with
    its type and in its place before the next one is read from the file. So the network is in memory once."""
    kept = {id(parameter) for parameter in kept_in_float32(module)}
    leaving, settled = _Leaving(module), set[int]()
    copies = device is not None and device.type == "cpu"
    for layer in reversed(list(module.modules())):  # the inner ones first
        own = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
        new = [weight for weight in own if id(weight) not in settled]  # a weight may be in several layers
        before = [weight.data for weight in new]
        for weight in new:
            is_cast = isinstance(weight, nn.Parameter) and weight.is_floating_point() and id(weight) not in kept
            weight.data = weight.data.to(dtype if is_cast else weight.dtype, copy=copies)
        if device is not None and not copies:
            layer.to(device)
        for weight, data in zip(new, before, strict=True):
            if weight.data_ptr() != data.data_ptr():
                leaving.leaves(data)
        settled.update(map(id, own))


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
    leaving = _Leaving(module)
    for weight in (*module.parameters(), *module.buffers()):
        before = weight.data
        weight.data = before.clone()
        leaving.leaves(before)


class _Leaving:
    """Memory that weights have left, as it is given back: allocated memory, and pages of files that are mapped."""

    def __init__(self, module: nn.Module) -> None:
        is_little = sum(weight.nbytes for weight in module.parameters()) < LITTLE
        self._mapped = None if is_little else MappedFiles()
        self._freed = 0

    def leaves(self, before: Tensor) -> None:
        """A tensor that was there when this was made, and that nothing will write to."""
        if self._mapped is not None and before.device.type == "cpu":
            self._mapped.forget(before.data_ptr(), before.nbytes)
        self._freed += before.nbytes
        if self._freed > KEPT_FREE:
            return_freed_memory()
            self._freed = 0


def rounded_tensors(module: nn.Module) -> set[str]:
    """What a library has cast together with the weights, or made in their type: buffers, and tensors that a module
    just has."""
    own = (
        (f"{prefix}.{name}" if prefix else name, value)
        for prefix, each in module.named_modules()
        for name, value in vars(each).items()
        if isinstance(value, Tensor)
    )
    return {
        name
        for name, tensor in (*module.named_buffers(), *own)
        if tensor.is_floating_point() and tensor.dtype != torch.float32
    }
