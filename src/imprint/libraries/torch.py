"""Undocumented behaviour of torch. Tested with torch 2.13.0."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils import _pytree

# In messages of the backends that raise a plain RuntimeError when out of memory: the CPU's allocator, MPS, cuBLAS.
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def divide_gradients_in_step(optimizer: AdamW, divisor: Tensor) -> None:
    """Makes the next step of a fused optimiser divide the gradients in place while it reads them. The kernel does so
    for a GradScaler, which sets this attribute; so there must be none."""
    optimizer.grad_scale = divisor  # type: ignore[attr-defined]


def hold_children(blocks: nn.ModuleList, children: Sequence[nn.Module]) -> None:
    """Has a list hold these, under their numbers. A list can be made longer, and its members can be deleted one by one,
    which numbers the others anew each time."""
    blocks._modules = {str(number): child for number, child in enumerate(children)}


def seed_cpu(seed: int) -> None:
    """Seeds only the CPU's generator. `torch.manual_seed` seeds all: for devices that are absent it records the call
    stack, which takes a millisecond of every training step."""
    torch.default_generator.manual_seed(seed)


def pinned(module: nn.Module) -> None:
    """Whatever moves or casts a module, and with it its weights, passes over this part of it: all of that goes through
    a method of each child, here one of the object's own. Weights on the device "meta" cannot be moved elsewhere."""
    module._apply = lambda fn, recurse=True: module  # type: ignore[method-assign]


def passing_over(module: nn.Module, weights: Iterable[nn.Parameter]) -> None:
    """Whatever moves or casts a module, and with it its weights, passes over these of this part of it: all of that goes
    through a method of each child, which applies a function to each weight."""
    left = {id(weight) for weight in weights}

    def apply(fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        nn.Module._apply(module, lambda weight: weight if id(weight) in left else fn(weight), recurse)
        return module

    module._apply = apply  # type: ignore[method-assign]


def unpinned(module: nn.Module) -> None:
    """What `pinned` did is undone."""
    vars(module).pop("_apply", None)


def is_out_of_memory(error: BaseException) -> bool:
    """Only CUDA has an error class of its own for it; other backends are recognised by the message."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)


def flatten(tree: Any, *, is_value: Callable[[Any], bool] | None = None) -> tuple[list[Any], Any]:
    """The values of nested tuples, lists, mappings and a model library's outputs, and the structure of the nesting.
    What `is_value` is a value, too. Public packages for this do not support the outputs, which diffusers and
    transformers register with this one."""
    return _pytree.tree_flatten(tree, is_leaf=is_value)


def unflatten(values: list[Any], shape: Any) -> Any:
    return _pytree.tree_unflatten(values, shape)
