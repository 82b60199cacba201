"""Blocks that a network repeats. What a step takes grows evenly with their number, so a few of them are measured."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import nn

from imprint.libraries.torch import hold_children

FEW = 2  # blocks of a kind that are always there: a first and a last one
MANY = 6  # from as many on, some are left out


class Repeat(NamedTuple):
    """Blocks of one list that are built alike."""

    blocks: nn.ModuleList
    places: Sequence[str]


class Repeats:
    def __init__(self, network: nn.Module) -> None:
        self._all = [
            Repeat(module, places)
            for module in network.modules()
            if isinstance(module, nn.ModuleList)
            for places in _alike(module)
            if len(places) >= MANY
        ]

    def extrapolated(self, measure: Callable[[], Sequence[int]]) -> list[int]:
        """What `measure` gives for the whole network."""
        if not self._pays:
            return list(measure())
        try:
            least = self._with(FEW, None, measure)
            more = [self._with(FEW, repeat, measure) for repeat in self._all]
        except Exception:  # a network may ask for every block, by its number or of its configuration
            return list(measure())
        return [
            base
            + sum((own[index] - base) * (len(repeat.places) - FEW) for repeat, own in zip(self._all, more, strict=True))
            for index, base in enumerate(least)
        ]

    @property
    def _pays(self) -> bool:
        kinds = len(self._all)
        return 0 < 2 * FEW * kinds * (kinds + 1) < sum(len(repeat.places) for repeat in self._all)

    def _with(self, count: int, longer: Repeat | None, measure: Callable[[], Sequence[int]]) -> Sequence[int]:
        """With so many blocks of each kind, and one more of one kind."""
        with _left_out([(repeat, count + (repeat is longer)) for repeat in self._all]):
            return measure()


def _alike(blocks: nn.ModuleList) -> Iterator[Sequence[str]]:
    kinds: dict[Any, list[str]] = defaultdict(list)
    for place, block in blocks.named_children():
        shapes = tuple(
            (name, weight.shape, weight.dtype, weight.requires_grad) for name, weight in block.named_parameters()
        )
        kinds[type(block), shapes].append(place)
    yield from kinds.values()


@contextmanager
def _left_out(counts: Sequence[tuple[Repeat, int]]) -> Iterator[None]:
    """Within, only so many of each kind are in their list."""
    whole = {id(repeat.blocks): (repeat.blocks, dict(repeat.blocks.named_children())) for repeat, _ in counts}
    gone: dict[int, set[str]] = defaultdict(set)
    for repeat, count in counts:
        gone[id(repeat.blocks)].update(repeat.places[count:])
    try:
        for own, (blocks, modules) in whole.items():
            hold_children(blocks, [module for place, module in modules.items() if place not in gone[own]])
        yield
    finally:
        for blocks, modules in whole.values():
            hold_children(blocks, list(modules.values()))
