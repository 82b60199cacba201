"""A weight in blocks, of which a training step uses only the first few."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class Blocks(nn.Module):
    """A weight as blocks of `size` along `dim`, for `torch.nn.utils.parametrize`.

    In training, the weight is zero but for the blocks that `use` names last; otherwise it is whole. Every block is a
    parameter of its own, and has a gradient in every step, if only of zeros: so processes agree on what they share,
    and a block that rests can be left out of an update altogether.
    """

    factor: Tensor
    learns: Tensor

    def __init__(self, weight: Tensor, *, size: int, dim: int) -> None:
        super().__init__()
        length = weight.shape[dim]
        assert length % size == 0, "a whole number of blocks"
        self.size, self.dim = size, dim
        shape = [length if own == dim else 1 for own in range(weight.ndim)]
        # Changed in place, never replaced: neither a compiled network nor a recomputation notices a step by it.
        self.register_buffer("factor", torch.ones(shape, device=weight.device), persistent=False)
        self.register_buffer("learns", torch.ones(shape, device=weight.device), persistent=False)

    def use(self, count: int, *, factor: float, only_last: bool) -> None:
        """From now on the first `count` blocks, times `factor`; they learn, or only the last of them does."""
        for mask, first, value in ((self.factor, 0, factor), (self.learns, count - 1 if only_last else 0, 1.0)):
            mask.zero_()
            mask.narrow(self.dim, first * self.size, (count - first) * self.size).fill_(value)

    def forward(self, *blocks: Tensor) -> Tensor:
        whole = torch.cat(blocks, dim=self.dim)
        if not self.training:
            return whole
        return self.factor * (self.learns * whole + (1 - self.learns) * whole.detach())

    def right_inverse(self, weight: Tensor) -> list[Tensor]:
        return [block.clone() for block in weight.split(self.size, dim=self.dim)]


def split_weight(layer: nn.Module, *, size: int, dim: int) -> None:
    """`layer.weight` becomes one of blocks."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    parametrize.register_parametrization(layer, "weight", Blocks(weight, size=size, dim=dim))


def blocks_of(layer: nn.Module) -> tuple[Blocks, list[nn.Parameter]] | None:
    """What makes the weight of `layer`, and its blocks in order; None if it has none."""
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    [blocks] = layer.parametrizations.weight  # type: ignore[union-attr,misc]
    return blocks, list(_originals(layer))


def whole_weight(layer: nn.Module) -> Tensor:
    """All of the weight, also in training."""
    found = blocks_of(layer)
    if found is None:
        assert isinstance(layer.weight, Tensor)
        return layer.weight
    blocks, parameters = found
    return torch.cat(list(parameters), dim=blocks.dim)


def _originals(layer: nn.Module) -> Iterator[nn.Parameter]:
    stored = layer.parametrizations.weight  # type: ignore[union-attr]
    for index in range(stored.ntensors):  # type: ignore[arg-type,union-attr]
        yield getattr(stored, f"original{index}")
