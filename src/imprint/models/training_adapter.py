"""A LoRA that is in effect while its model trains, and left out when the model draws.

A checkpoint that was distilled to draw in few steps forgets that while it trains. With an adapter that undoes the
distillation, in training alone, a result learns its subject and need not learn this, too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional


class Update(NamedTuple):
    """Of a linear layer's weight: up @ down."""

    up_OR: Tensor
    down_RI: Tensor


class TrainingAdapter(nn.Module):
    """Adds to the outputs of layers, and leaves their weights alone: whatever learns in a layer, or around it, does so
    as without the adapter. None of it is in the model's state."""

    def __init__(self, updates: Mapping[str, Update]) -> None:
        """By the names of the denoiser's layers."""
        super().__init__()
        self._in_effect = True
        self._names = list(updates)
        for number, update in enumerate(updates.values()):
            self.register_buffer(f"up_{number}", update.up_OR, persistent=False)
            self.register_buffer(f"down_{number}", update.down_RI, persistent=False)

    def put_around(self, denoiser: nn.Module) -> None:
        """Around whatever has these names now: a method may have wrapped the layers, and compute with their weights
        alone."""
        for number, name in enumerate(self._names):
            denoiser.get_submodule(name).register_forward_hook(_Addition(self, number))

    @contextmanager
    def left_out(self) -> Iterator[None]:
        before, self._in_effect = self._in_effect, False
        try:
            yield
        finally:
            self._in_effect = before

    def addition(self, number: int, inputs: Tensor) -> Tensor | None:
        """What the update of a layer adds to its output."""
        if not self._in_effect:
            return None
        up_OR, down_RI = (getattr(self, f"{name}_{number}").to(inputs.dtype) for name in ("up", "down"))
        return functional.linear(functional.linear(inputs, down_RI), up_OR)


class _Addition:
    """The hook of one layer."""

    def __init__(self, adapter: TrainingAdapter, number: int) -> None:
        self._adapter = adapter
        self._number = number

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        added = self._adapter.addition(self._number, inputs[0])
        return None if added is None else output + added
