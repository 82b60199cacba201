"""Whose samples a batch holds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Seating:
    """The samples of each point stand together in the batch that is passing through the network: `rows`, by point, in
    their order, all of them."""

    def __init__(self) -> None:
        self.rows: dict[int, slice] = {}

    @contextmanager
    def of(self, sizes: Mapping[int, int]) -> Iterator[None]:
        first = 0
        for point, size in sizes.items():
            self.rows[point] = slice(first, first + size)
            first += size
        try:
            yield
        finally:
            self.rows.clear()
