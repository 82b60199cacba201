"""The contents of a table, independent of the format.

Texts are as they were read from files and may hold anything: each renderer escapes them for its format.
"""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

UNKNOWN = "\N{EN DASH}"
# They reorder the characters that follow, so that a text is not what it seems.
_DIRECTION = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


class Column(NamedTuple):
    heading: str
    format: Callable[[Any], str] = str  # of known values
    kind: Literal["number", "text", "code"] = "number"  # numbers are aligned to the right
    about: str = ""  # the heading in more words
    group: str = ""  # neighbours of one group share a heading above their own
    best_first: bool = False  # the largest is the best: sorting begins with it

    def text(self, value: object) -> str:
        if value is None:
            return UNKNOWN
        if isinstance(value, float) and not math.isfinite(value):
            return "no number"
        return value if isinstance(value, str) and self.kind == "number" else self.format(value)


class Cell(NamedTuple):
    value: str | float | None = None  # None: it is not known
    interval: tuple[float, float] | None = None
    mark: str = ""  # behind the value, of a footnote
    detail: str = ""  # beside the value
    about: str = ""  # the value in more words
    state: str = ""  # of a run
    is_best: bool = False
    link: str = ""  # an anchor of the page
    short: str = ""  # what stands in its place where there is little room

    @property
    def is_known(self) -> bool:
        return self.value is not None and not (isinstance(self.value, float) and not math.isfinite(self.value))


class Line(NamedTuple):
    """How a row is drawn in figures."""

    colour: str
    dash: str  # solid, dashed or dotted
    mark: str = ""  # a path of SVG around 0, 0; empty: none


class Row(NamedTuple):
    cells: Sequence[Cell]  # the first one says what the row is
    is_apart: bool = False  # a line above it separates it
    is_reference: bool = False  # not one of those that are compared
    name: str = ""  # what scripts of a page know it by
    line: Line | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    columns: Sequence[Column]
    rows: Sequence[Row]
    title: str = ""
    key: str = ""  # a name for files and anchors
    notes: Sequence[str] = ()

    @classmethod
    def of_values(cls, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> "Table":
        """Of plain values, for programs."""
        return cls(columns=[Column(name) for name in headings], rows=[Row([*map(Cell, values)]) for values in rows])

    @property
    def headings(self) -> list[str]:
        return [column.heading for column in self.columns]

    @property
    def values(self) -> list[list[str | float | None]]:
        return [[cell.value for cell in row.cells] for row in self.rows]

    def texts(self, row: Row) -> list[tuple[Cell, str, str]]:
        """Of each cell its text, and the smaller one beside it."""
        return [
            (cell, f"{column.text(cell.value)}{cell.mark}", cell.detail or _bounds(column, cell))
            for column, cell in zip(self.columns, row.cells, strict=True)
        ]


def clean(text: str, *, keep: str = "") -> str:
    """In one line, without control characters (but those in `keep`) and what no encoding has."""
    return "".join(letter if letter in keep else _harmless(letter) for letter in text)


def _harmless(letter: str) -> str:
    category = unicodedata.category(letter)
    if letter.isspace() and category != "Zs":
        return " "
    if category == "Cs":  # half of a character, as of a file name that is not UTF-8
        return "\N{REPLACEMENT CHARACTER}"
    return "" if category == "Cc" or letter in _DIRECTION else letter


def _bounds(column: Column, cell: Cell) -> str:
    return "" if cell.interval is None else f"[{', '.join(map(column.text, cell.interval))}]"
