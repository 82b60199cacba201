"""Layers of a network that several points share. What a point has learned applies to its own samples alone.

Shape suffixes besides those of types.py: K points, N rows of a point, R rank, I and O channels before and after.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from peft.tuners import lora
from torch import Tensor, nn
from torch.nn import functional

from imprint.batched_runs.batch_layout import BatchLayout
from imprint.batched_runs.low_rank import Scale, with_low_rank
from imprint.methods.adapter_layers import NAME
from imprint.models.quantisation.layer import QuantisedLinear


class StackedWords(nn.Module):
    """In place of a table of word vectors: each point looks up its own, where its words are."""

    def __init__(self, base: nn.Module, tables: Mapping[int, nn.Module], layout: BatchLayout) -> None:
        super().__init__()
        self.base_layer = base
        self._tables = dict(tables)
        self._layout = layout

    def forward(self, ids_BL: Tensor) -> Tensor:
        rows = self._layout.rows.items()
        return torch.cat([self._tables.get(point, self.base_layer)(ids_BL[own]) for point, own in rows])


class StackedAdapters(nn.Module):
    """A frozen layer, and beside it the low-rank adapter of each point, in one product for all.

    Smaller ranks are padded with zeros, which change neither an output nor a gradient.
    """

    def __init__(self, base: nn.Module, adapters: Mapping[int, Any], layout: BatchLayout) -> None:
        super().__init__()
        self.base_layer = base
        self._adapters = dict(adapters)  # not registered: their weights are the points'
        self._layout = layout
        self._scales: dict[tuple[tuple[int, ...], torch.dtype], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        points = tuple(self._layout.rows)
        if self._adapters.keys().isdisjoint(points):
            result: Tensor = self.base_layer(x)
            return result
        return self._adapted(x, points)

    @abstractmethod
    def _adapted(self, x: Tensor, points: Sequence[int]) -> Tensor:
        """The output of the layer and of the adapters; `x` holds the same number of samples of each point."""

    def _dropped(self, x: Tensor, points: Sequence[int]) -> Tensor | None:
        """The input of the first matrices, with each point's dropout as it is alone. None if no point has dropout."""
        dropping = self._layout.rng_states.keys() & self._adapters.keys()
        if not dropping:
            return None
        dtype = self._adapters[next(iter(dropping))].lora_A[NAME].weight.dtype
        masks = []
        each = len(x) // self._layout.size  # of a sample there may be several rows, one after the other
        for point in points:
            # Sampled as for the point's own input: a mask has its size, type and memory layout.
            own = self._layout.rows[point]
            mask = torch.ones_like(x[own.start * each : own.stop * each], dtype=dtype)
            if point in dropping:
                with self._layout.rng_states[point].active():
                    mask = self._adapters[point].lora_dropout[NAME](mask)
            masks.append(mask)
        return x * torch.cat(masks)

    def _factors(self, points: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The first and the second matrices of the points (kernels stay what they are), each padded to one rank."""
        own = [self._adapters.get(point) for point in points]
        some = next(adapter for adapter in own if adapter is not None)
        first, second = some.lora_A[NAME].weight, some.lora_B[NAME].weight
        # A point without an adapter here gets one of rank 0.
        firsts = [first[:0] if adapter is None else adapter.lora_A[NAME].weight for adapter in own]
        seconds = [second[:, :0] if adapter is None else adapter.lora_B[NAME].weight for adapter in own]
        rank = max(len(weight) for weight in firsts)
        return (
            torch.stack([_padded(weight, 0, rank) for weight in firsts]),
            torch.stack([_padded(weight, 1, rank) for weight in seconds]),
        )

    def _scale(self, points: Sequence[int], like: Tensor) -> Scale:
        """The factor of each adapter."""
        scales = [float(self._adapters[point].scaling[NAME]) for point in points if point in self._adapters]
        if len(set(scales)) == 1:
            return scales[0]
        key = (tuple(points), like.dtype)
        if key not in self._scales:
            every = [self._adapters[point].scaling[NAME] if point in self._adapters else 0.0 for point in points]
            self._scales[key] = torch.tensor(every, dtype=like.dtype, device=like.device).view(-1, 1, 1)
        return self._scales[key]


class StackedLinear(StackedAdapters):
    base_layer: nn.Linear

    def _adapted(self, x: Tensor, points: Sequence[int]) -> Tensor:
        first_KRI, second_KOR = self._factors(points)
        scale = self._scale(points, first_KRI)
        return with_low_rank(x, self.base_layer, first_KRI, second_KOR, scale=scale, dropped=self._dropped(x, points))


class StackedQuantisedLinear(StackedAdapters):
    """A layer whose weight is quantised makes it anew in each of its passes: kept for the backward pass, it would take
    the memory of a plain one."""

    def _adapted(self, x: Tensor, points: Sequence[int]) -> Tensor:
        first_KRI, second_KOR = self._factors(points)
        dropped = self._dropped(x, points)
        input_KNI = (x if dropped is None else dropped).reshape(len(points), -1, x.shape[-1])
        inner_KNR = torch.matmul(input_KNI, first_KRI.transpose(1, 2)) * self._scale(points, first_KRI)
        update_KNO = torch.matmul(inner_KNR, second_KOR.transpose(1, 2))
        output: Tensor = self.base_layer(x)
        return output + update_KNO.view_as(output).to(output.dtype)


class StackedConvolution(StackedAdapters):
    """The first matrices are kernels of the layer's own size, the second ones of a single pixel."""

    base_layer: nn.Conv2d

    def _adapted(self, x: Tensor, points: Sequence[int]) -> Tensor:
        first, second = self._factors(points)
        dropped = self._dropped(x, points)
        count, rank = first.shape[:2]
        layer = self.base_layer
        # The points are concatenated along the channels; a convolution in as many groups keeps them apart.
        grouped = (x if dropped is None else dropped).unflatten(0, (count, -1)).transpose(0, 1).flatten(1, 2)
        inner = functional.conv2d(
            grouped, first.flatten(0, 1), None, layer.stride, layer.padding, layer.dilation, groups=count
        )
        scale = self._scale(points, first)
        inner_KNRP = inner.unflatten(1, (count, rank)).transpose(0, 1).flatten(3)
        scaled_KNRP = inner_KNRP * (scale if isinstance(scale, float) else scale[..., None])
        update_KNOP: Tensor = torch.matmul(second.flatten(2).view(count, 1, -1, rank), scaled_KNRP)
        output: Tensor = layer(x)
        result: Tensor = output + update_KNOP.flatten(0, 1).unflatten(2, inner.shape[-2:]).to(output.dtype)
        return result


def stacked_layer(base: nn.Module, own: Mapping[int, Any], layout: BatchLayout) -> nn.Module:
    """For a layer at whose place each point has `own`: adapters of peft's, or a table of words."""
    kind = type(next(iter(own.values())))
    if issubclass(kind, lora.Linear) and isinstance(base, QuantisedLinear):
        return StackedQuantisedLinear(base, own, layout)
    if issubclass(kind, lora.Linear):
        return StackedLinear(base, own, layout)
    if issubclass(kind, lora.Conv2d):
        return StackedConvolution(base, own, layout)
    return StackedWords(base, own, layout)


def _padded(weight: Tensor, dimension: int, size: int) -> Tensor:
    if weight.shape[dimension] == size:
        return weight
    missing = list(weight.shape)
    missing[dimension] = size - missing[dimension]
    return torch.cat([weight, weight.new_zeros(missing)], dim=dimension)
