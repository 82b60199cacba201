"""What a transformer's original program calls its weights, and which of the library's layers it has as one.

The library splits some layers: the original's queries, keys and values are one matrix, with the rows of each below
those of the one before.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

BLOCK = "{}"  # a block's number, in the tables of names


class Joined(NamedTuple):
    """A layer, or a weight, of a file: those of ours whose rows it consists of, in their order. `swapped`: the halves
    of its rows stand in the other order. `flat`: its rows follow one another in a single one."""

    name: str
    parts: tuple[str, ...]
    swapped: bool = False
    flat: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is one of ours under another name."""
        return len(self.parts) == 1 and not self.swapped and not self.flat


@dataclass(frozen=True, kw_only=True)
class OriginalNames:
    """A table of names. What is not in it is called alike in both.

    layers    the original's layers, each with those of ours that it consists of
    weights   the original's weights whose names do not follow from those of layers, each with ours
    swapped   layers of ours whose rows are scales and shifts, and the original's shifts and scales; `{last}` is the
              number of the last block
    flat      weights of ours that the original has as a single row
    unused    the original's weights that nothing is computed with, and ours does not have
    """

    layers: Mapping[str, Sequence[str]]
    weights: Mapping[str, str] = field(default_factory=dict)
    swapped: Sequence[str] = ()
    flat: Sequence[str] = ()
    unused: Sequence[str] = ()

    def layer(self, name: str, config: Mapping[str, Any]) -> Joined:
        """That of the original of which our layer `name` is a part, in a denoiser with this configuration."""
        pattern, number = _pattern(name)
        theirs = self._by_ours.get(name) or self._by_ours.get(pattern)
        if theirs is None:
            return Joined(name, (name,))
        parts = tuple(part.replace(BLOCK, number) for part in self.layers[theirs])
        return Joined(theirs.replace(BLOCK, number), parts, self._is_swapped(name, config))

    def weight(self, name: str, config: Mapping[str, Any]) -> Joined:
        """That of the original of which our weight `name` is a part."""
        pattern, number = _pattern(name)
        if theirs := self._weights_by_ours.get(name) or self._weights_by_ours.get(pattern):
            return Joined(theirs.replace(BLOCK, number), (name,), flat=pattern in self.flat)
        layer, _, own = name.rpartition(".")
        joined = self.layer(layer, config)
        if joined.name == layer:
            return Joined(name, (name,))
        return joined._replace(name=f"{joined.name}.{own}", parts=tuple(f"{part}.{own}" for part in joined.parts))

    def file(self, ours: Sequence[str], config: Mapping[str, Any]) -> list[Joined]:
        """The weights of a file of the original with all of ours."""
        return list(dict.fromkeys(self.weight(name, config) for name in ours))

    @property
    def joins(self) -> bool:
        """Whether any of the original's layers consists of several of ours, or of one in another order."""
        return bool(self.swapped) or any(len(parts) > 1 for parts in self.layers.values())

    @cached_property
    def _by_ours(self) -> Mapping[str, str]:
        return {part: theirs for theirs, parts in self.layers.items() for part in parts}

    @cached_property
    def _weights_by_ours(self) -> Mapping[str, str]:
        return {ours: theirs for theirs, ours in self.weights.items()}

    def _is_swapped(self, name: str, config: Mapping[str, Any]) -> bool:
        last = config.get("num_layers", 1) - 1
        return any(name == own.format(last=last) for own in self.swapped)


SAME = OriginalNames(layers={})  # of programs that call everything as the library does


def join(parts: Sequence[Tensor], *, swapped: bool, flat: bool = False) -> Tensor:
    """Rows of ours as the original has them."""
    whole = torch.cat(list(parts))
    whole = swap_halves(whole) if swapped else whole
    return whole.flatten() if flat else whole


def split(whole: Tensor, heights: Sequence[int], *, swapped: bool) -> list[Tensor]:
    """Rows of the original's as we have them; `heights` are those of our parts."""
    return list((swap_halves(whole) if swapped else whole).split(list(heights)))


def swap_halves(rows: Tensor) -> Tensor:
    first, second = rows.chunk(2)
    return torch.cat([second, first])


def _pattern(name: str) -> tuple[str, str]:
    """The name with BLOCK in place of its first number, and the number."""
    found = re.search(r"(?<=\.)\d+(?=\.|$)", name)
    if found is None:
        return name, ""
    return f"{name[: found.start()]}{BLOCK}{name[found.end() :]}", found[0]
