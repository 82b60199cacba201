"""Adapters merged into the layers that they stand beside: pictures are the same but for rounding, and sooner drawn."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from imprint.methods.adapter_layers import layers, merge


def merge_exactly(parts: Iterable[nn.Module]) -> None:
    """For good, in parts that only draw from now on."""
    for part in parts:
        if _is_exact(part):
            merge(part, 1.0)


@contextmanager
def merged(parts: Iterable[nn.Module]) -> Iterator[None]:
    """For as long as pictures are drawn. Afterwards every weight is what it was, to the bit, and learns on."""
    wrapped = [layer for part in parts if _is_exact(part) for layer in layers(part).values()]
    before = [layer.get_base_layer().weight.detach().clone() for layer in wrapped]
    try:
        with torch.no_grad():
            for layer in wrapped:
                layer.merge()
        yield
    finally:
        with torch.no_grad():
            for layer, weight in zip(wrapped, before, strict=True):
                if layer.merged:
                    layer.unmerge()  # by subtraction, which leaves a rest
                layer.get_base_layer().weight.copy_(weight)


def _is_exact(part: nn.Module) -> bool:
    """Weights of less precision than float32 would lose some of what an adapter adds."""
    return all(layer.get_base_layer().weight.dtype == torch.float32 for layer in layers(part).values())
