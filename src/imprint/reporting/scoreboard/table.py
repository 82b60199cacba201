"""A table as such: what stands in it, not how it is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Cell(NamedTuple):
    text: str
    range: str = ""  # the interval around it
    best: bool = False


EMPTY = Cell("\N{EN DASH}")


class Line(NamedTuple):
    label: str
    cells: Sequence[Cell]
    apart: bool = False  # a rule stands above it
    aside: bool = False  # not one of those that are compared


@dataclass(frozen=True, kw_only=True)
class Table:
    key: str  # a name for files and anchors
    title: str
    corner: str  # the heading of the labels
    headings: Sequence[str]
    lines: Sequence[Line]
    texts: int = 0  # so many of the first columns hold words; numbers stand to the right
    notes: Sequence[str] = ()
