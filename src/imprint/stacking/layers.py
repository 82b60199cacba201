"""Layers of a network that several points share. Each sample sees what its own point has learned, and nothing else.

Shape suffixes besides those of types.py: K points, N rows of a point, R rank, I and O channels before and after.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from peft.tuners import lora
from torch import Tensor, nn
from torch.nn import functional

from imprint.methods.adapter_layers import NAME
from imprint.stacking.seating import Seating


class StackedWords(nn.Module):
    """In place of a table of word vectors: each point looks up its own, where its words are."""

    def __init__(self, base: nn.Module, tables: Mapping[int, nn.Module], seating: Seating) -> None:
        super().__init__()
        self.base_layer = base
        self._tables = dict(tables)
        self._seating = seating

    def forward(self, ids_BL: Tensor) -> Tensor:
        rows = self._seating.rows.items()
        return torch.cat([self._tables.get(point, self.base_layer)(ids_BL[own]) for point, own in rows])


class StackedAdapters(nn.Module):
    """A frozen layer, and beside it the low-rank adapter of each point, in one product for all.

    Smaller ranks are filled up with zeros, which change neither an output nor a gradient.
    """

    def __init__(self, base: nn.Module, adapters: Mapping[int, Any], seating: Seating) -> None:
        super().__init__()
        self.base_layer = base
        self._adapters = dict(adapters)  # not registered: their weights are the points'
        self._seating = seating
        self._scales: dict[tuple[tuple[int, ...], torch.dtype], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.base_layer(x)
        rows = self._seating.rows
        own = tuple(point for point in rows if point in self._adapters)
        if not own:
            return result
        if len(own) == len(rows):
            return result + self._update(x, own).to(result.dtype)
        update = self._update(torch.cat([x[rows[point]] for point in own]), own).to(result.dtype)
        updates = dict(zip(own, update.chunk(len(own)), strict=True))
        return torch.cat(
            [
                result[here] + updates[point] if point in updates else result[here]
                for point, here in self._seating.rows.items()
            ]
        )

    @abstractmethod
    def _update(self, x: Tensor, points: Sequence[int]) -> Tensor:
        """What the adapters add; `x` holds as many samples of each point."""

    def _factors(self, points: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The first and the second matrices of the points (kernels stay what they are), each filled up to one rank."""
        first = [self._adapters[point].lora_A[NAME].weight for point in points]
        second = [self._adapters[point].lora_B[NAME].weight for point in points]
        rank = max(len(weight) for weight in first)
        if any(len(weight) < rank for weight in first):
            first = [_filled(weight, 0, rank) for weight in first]
            second = [_filled(weight, 1, rank) for weight in second]
        return torch.stack(first), torch.stack(second)

    def _scale(self, points: Sequence[int], like: Tensor) -> Tensor:
        """How much each adapter counts; with as many dimensions as `like`, the first of which is the points'."""
        key = (tuple(points), like.dtype)
        if key not in self._scales:
            scales = [self._adapters[point].scaling[NAME] for point in points]
            self._scales[key] = torch.tensor(scales, dtype=like.dtype, device=like.device)
        return self._scales[key].view(-1, *(1,) * (like.ndim - 1))


class StackedLinear(StackedAdapters):
    def _update(self, x: Tensor, points: Sequence[int]) -> Tensor:
        first_KRI, second_KOR = self._factors(points)
        inner_KNR = torch.bmm(x.reshape(len(points), -1, x.shape[-1]), first_KRI.transpose(1, 2))
        update_KNO = torch.bmm(inner_KNR * self._scale(points, inner_KNR), second_KOR.transpose(1, 2))
        return update_KNO.view(*x.shape[:-1], second_KOR.shape[1])


class StackedConvolution(StackedAdapters):
    """The first matrices are kernels of the layer's own size, the second ones of a single pixel."""

    base_layer: nn.Conv2d

    def _update(self, x: Tensor, points: Sequence[int]) -> Tensor:
        first, second = self._factors(points)
        count, rank = first.shape[:2]
        layer = self.base_layer
        # The points side by side in the channels: a convolution in as many groups keeps them apart.
        grouped = x.unflatten(0, (count, -1)).transpose(0, 1).flatten(1, 2)
        inner = functional.conv2d(
            grouped, first.flatten(0, 1), None, layer.stride, layer.padding, layer.dilation, groups=count
        )
        inner_KNRP = inner.unflatten(1, (count, rank)).transpose(0, 1).flatten(3)
        scaled_KNRP = inner_KNRP * self._scale(points, inner_KNRP)
        update_KNOP: Tensor = torch.matmul(second.flatten(2).view(count, 1, -1, rank), scaled_KNRP)
        update: Tensor = update_KNOP.flatten(0, 1).unflatten(2, inner.shape[-2:])
        return update


def stacked_layer(base: nn.Module, own: Mapping[int, Any], seating: Seating) -> nn.Module:
    """For a layer at whose place each point has `own`: adapters of peft's, or a table of words."""
    kind = type(next(iter(own.values())))
    if issubclass(kind, lora.Linear):
        return StackedLinear(base, own, seating)
    if issubclass(kind, lora.Conv2d):
        return StackedConvolution(base, own, seating)
    return StackedWords(base, own, seating)


def _filled(weight: Tensor, dimension: int, size: int) -> Tensor:
    missing = list(weight.shape)
    missing[dimension] = size - missing[dimension]
    return torch.cat([weight, weight.new_zeros(missing)], dim=dimension)
