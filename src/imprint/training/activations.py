"""What the forward pass keeps for the backward pass, in the machine's memory meanwhile."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


@contextmanager
def activations_in_memory(network: nn.Module, device: torch.device) -> Iterator[None]:
    """By torch's own hook. Weights, which autograd keeps references to, too, stay where they are: torch's
    `save_on_cpu` would copy them at every step."""
    weights = frozenset(storages((*network.parameters(), *network.buffers())))
    pinned = device.type == "cuda"

    def pack(tensor: Tensor) -> Tensor | tuple[torch.device, Tensor]:
        if tensor.device.type == "cpu" or tensor.untyped_storage().data_ptr() in weights:
            return tensor
        kept = torch.empty_like(tensor, device="cpu", pin_memory=pinned)
        kept.copy_(tensor, non_blocking=pinned)
        return tensor.device, kept

    def unpack(packed: Tensor | tuple[torch.device, Tensor]) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        own, kept = packed
        return kept.to(own, non_blocking=True)

    with saved_tensors_hooks(pack, unpack):
        yield


def storages(tensors: Iterable[Tensor]) -> Iterator[int]:
    for tensor in tensors:
        yield tensor.untyped_storage().data_ptr()
