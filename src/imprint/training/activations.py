"""What the forward pass keeps for the backward pass, in the machine's memory meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

IN_MEMORY = {"cpu"}  # kinds of devices whose tensors are there already


class _Kept(NamedTuple):
    device: torch.device
    copy: Tensor


@contextmanager
def activations_in_memory(network: nn.Module) -> Iterator[None]:
    """By torch's own hook. Weights, to which autograd keeps references, too, stay where they are: torch's `save_on_cpu`
    would copy them at every step."""
    weights = {weight.untyped_storage().data_ptr() for weight in (*network.parameters(), *network.buffers())}

    def pack(tensor: Tensor) -> Tensor | _Kept:
        if tensor.device.type in IN_MEMORY or tensor.untyped_storage().data_ptr() in weights:
            return tensor
        asynchronous = tensor.device.type == "cuda"
        copy = torch.empty_like(tensor, device="cpu", pin_memory=asynchronous)
        return _Kept(tensor.device, copy.copy_(tensor, non_blocking=asynchronous))

    def unpack(kept: Tensor | _Kept) -> Tensor:
        if isinstance(kept, Tensor):
            return kept
        return kept.copy.to(kept.device, non_blocking=True)

    with saved_tensors_hooks(pack, unpack):
        yield
