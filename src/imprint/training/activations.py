"""What the forward pass keeps for the backward pass, in the machine's memory meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

IN_MEMORY = {"cpu"}  # kinds of devices whose tensors are there already


class _Kept(NamedTuple):
    """A copy without gaps or repetitions, and how the tensor was laid out: sums are rounded by that."""

    copy: Tensor
    stride: tuple[int, ...]
    size: torch.Size
    device: torch.device

    @classmethod
    def of(cls, tensor: Tensor) -> "_Kept":
        once = tensor
        for dim, stride in enumerate(tensor.stride()):
            if stride == 0:
                once = once.narrow(dim, 0, min(1, once.shape[dim]))
        asynchronous = tensor.device.type == "cuda"
        copy = torch.empty_like(once, device="cpu", pin_memory=asynchronous)
        copy.copy_(once, non_blocking=asynchronous)
        return cls(copy, tensor.stride(), tensor.shape, tensor.device)

    def back(self) -> Tensor:
        own = torch.empty_strided(self.copy.shape, self.stride, dtype=self.copy.dtype, device=self.device)
        return own.copy_(self.copy, non_blocking=True).expand(self.size)


@contextmanager
def activations_in_memory(network: nn.Module) -> Iterator[None]:
    """By torch's own hook. Weights, to which autograd keeps references, too, stay where they are: torch's `save_on_cpu`
    would copy them at every step, and lays out the rest anew."""
    weights = {weight.untyped_storage().data_ptr() for weight in (*network.parameters(), *network.buffers())}

    def pack(tensor: Tensor) -> Tensor | _Kept:
        is_there = tensor.device.type in IN_MEMORY or tensor.untyped_storage().data_ptr() in weights
        return tensor if is_there or _overlaps(tensor) else _Kept.of(tensor)

    def unpack(kept: Tensor | _Kept) -> Tensor:
        return kept if isinstance(kept, Tensor) else kept.back()

    with saved_tensors_hooks(pack, unpack):
        yield


def _overlaps(tensor: Tensor) -> bool:
    """Whether its elements share memory otherwise than by repetition, as windows over a sequence do."""
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride > 0:
            if stride <= reach:
                return True
            reach += stride * (size - 1)
    return False
