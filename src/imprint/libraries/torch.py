"""What torch does or says without promising it. Seen with torch 2.13.0."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.utils import _pytree

# How a backend says that memory was not enough where it raises a bare RuntimeError: the CPU's allocator, MPS, cuBLAS.
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def divide_gradients_in_step(optimizer: AdamW, divisor: Tensor) -> None:
    """The next step of a fused optimiser divides the gradients while it reads them, and leaves them divided. The kernel
    does it for a GradScaler, which tells it by this attribute; so there must be none."""
    optimizer.grad_scale = divisor  # type: ignore[attr-defined]


def seed_cpu(seed: int) -> None:
    """Only the CPU's generator. `torch.manual_seed` does the others as well: for devices that are not there it notes
    who called, which takes a millisecond of every training step."""
    torch.default_generator.manual_seed(seed)


def is_out_of_memory(error: BaseException) -> bool:
    """Only CUDA has a class of its own for it; for the others there is the message."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The values of nested tuples, lists, mappings and a model library's outputs, and the shape of the nesting. The
    public packages that do this do not know the outputs, which diffusers and transformers register with this one."""
    return _pytree.tree_flatten(tree)


def unflatten(values: list[Any], shape: Any) -> Any:
    return _pytree.tree_unflatten(values, shape)
