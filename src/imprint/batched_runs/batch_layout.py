"""Whose samples a batch holds, and from where their layers draw."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from imprint.batched_runs.rng_state import RngState


class BatchLayout:
    """The samples of each point stand together in the batch that is passing through the network: `rows`, by point, in
    their order, all of them; `chances` are those of the points whose layers drop something."""

    def __init__(self) -> None:
        self.rows: dict[int, slice] = {}
        self.chances: dict[int, RngState] = {}

    @contextmanager
    def of(self, sizes: Mapping[int, int], chances: Mapping[int, RngState]) -> Iterator[None]:
        first = 0
        for point, size in sizes.items():
            self.rows[point] = slice(first, first + size)
            first += size
        self.chances.update(chances)
        try:
            yield
        finally:
            self.rows.clear()
            self.chances.clear()
