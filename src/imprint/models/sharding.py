"""Weights that several devices share: each holds an equal part of every one, and has a block whole while it computes
with it (PyTorch's FSDP2).

What is to be done with such a weight as a whole, all processes do together, each with the same calls in the same order.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
import torch.distributed
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from imprint.libraries.diffusers import kinds_of_blocks
from imprint.libraries.transformers import record_outputs_of


def blocks(network: nn.Module) -> list[str]:
    """The names of the modules that are gathered one at a time, inner ones before those around them. What is in none
    of them is gathered at the start of a pass, and stays to its end."""
    kinds = kinds_of_blocks(network)
    return [name for name, module in reversed(list(network.named_modules())) if name and type(module).__name__ in kinds]


def shard(network: nn.Module, mesh: DeviceMesh, *, model: nn.Module) -> None:
    """From now on each process of `mesh` holds its part of the weights. They are other parameter objects by the same
    names, on the device of `mesh`, to which one block after another has moved; what else in `model` had one of them,
    such as the head of a language model, has the other one now."""
    tied = list(_ties(network, model))
    for weight in network.parameters():
        weight.data = weight.data.contiguous()  # others cannot be shared
    for name in blocks(network):
        fully_shard(network.get_submodule(name), mesh=mesh, reshard_after_forward=True)
    # By itself a network keeps what is in no block after a pass without gradients, and would not notice a later update.
    fully_shard(network, mesh=mesh, reshard_after_forward=True)
    for module, name, own, own_name in tied:
        setattr(module, name, getattr(own, own_name))
    record_outputs_of(network)


def _ties(network: nn.Module, model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module, str]]:
    """Where `model` has a weight of `network` outside of it, and where that is in it. Holds none of them."""
    inside = {id(weight): (module, name) for module in network.modules() for name, weight in _weights_in(module)}
    own = set(network.modules())
    for module in model.modules():
        if module not in own:
            yield from (
                (module, name, *inside[id(weight)]) for name, weight in _weights_in(module) if id(weight) in inside
            )


def _weights_in(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return module.named_parameters(recurse=False, remove_duplicate=False)


def is_sharded(network: nn.Module) -> bool:
    return isinstance(network, FSDPModule)


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor: the same memory. All of it, where it is not shared."""
    if not isinstance(tensor, DTensor):
        return tensor
    part: Tensor = cast(DTensor, tensor.detach()).to_local()
    return nn.Parameter(part, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else part


def part_like(whole: Tensor, shared: Tensor) -> Tensor:
    """A tensor of the same size, as all processes have it, as this process holds its part of `shared`. No process
    waits for another."""
    if not isinstance(shared, DTensor):
        return whole
    return distribute_tensor(whole, shared.device_mesh, shared.placements, src_data_rank=None)


def gathered(tensor: Tensor) -> Tensor:
    """The whole of a tensor in main memory, on the first process; on the others, which pass it on, it is empty."""
    if not isinstance(tensor, DTensor):
        return tensor
    whole: Tensor = cast(DTensor, tensor.detach()).full_tensor()
    return whole.cpu() if torch.distributed.get_rank() == 0 else whole.new_empty(0)


def gathered_part(part: Tensor, shared: Tensor) -> Tensor:
    """As `gathered`, of a tensor that each process has a part of as it has of `shared`."""
    if not isinstance(shared, DTensor):
        return part
    return gathered(
        DTensor.from_local(
            part, shared.device_mesh, shared.placements, run_check=False, shape=shared.shape, stride=shared.stride()
        )
    )


def anywhere(found: bool, tensors: Iterable[Tensor]) -> bool:
    """Whether any of the processes that share these has found it; where none shares them, whether this one has."""
    shared = next((tensor for tensor in tensors if isinstance(tensor, DTensor)), None)
    if shared is None:
        return found
    flag = torch.tensor([int(found)], device=shared.to_local().device)
    torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
    return bool(flag.item())


def whole_number(number: Tensor) -> Tensor:
    """One that was computed from shared tensors, such as a norm, the same on every process."""
    return number.full_tensor() if isinstance(number, DTensor) else number


@contextmanager
def collected(model: nn.Module) -> Iterator[None]:
    """Within, the first process has what learns whole, in main memory. Of frozen weights that processes share it has
    the shapes, as of a part that is absent: nothing has changed those, and they need not be gathered."""
    shared = [
        (module, name, weight)
        for module in model.modules()
        for name, weight in _weights_in(module)
        if isinstance(weight, DTensor)
    ]
    replaced: dict[int, nn.Parameter] = {}  # a weight with two names stays one
    for _, _, weight in shared:
        if id(weight) not in replaced:
            whole = gathered(weight) if weight.requires_grad else _shape_of(weight)
            replaced[id(weight)] = nn.Parameter(whole, requires_grad=weight.requires_grad)
    if torch.distributed.is_initialized() and torch.distributed.get_rank() != 0:
        yield
        return
    try:
        for module, name, weight in shared:
            setattr(module, name, replaced[id(weight)])
        yield
    finally:
        for module, name, weight in shared:
            setattr(module, name, weight)


def _shape_of(weight: Tensor) -> Tensor:
    return torch.empty(weight.shape, dtype=weight.dtype, device="meta")
