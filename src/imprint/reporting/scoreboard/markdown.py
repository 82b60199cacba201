"""Tables as Markdown."""

import re
from collections.abc import Iterator, Sequence

from imprint.reporting.scoreboard.table import Cell, Line, Table


def markdown(table: Table) -> str:
    return "\n".join([f"## {plain(table.title)}", "", *_rows(table), *_notes(table.notes), ""])


def _rows(table: Table) -> Iterator[str]:
    yield _row([plain(table.corner), *map(plain, table.headings)])
    yield _row(["---" if number <= table.texts else "---:" for number in range(len(table.headings) + 1)])
    for line in table.lines:
        yield _row([_label(line), *map(_cell, line.cells)])


def _notes(notes: Sequence[str]) -> list[str]:
    return ["", *(f"{plain(note)}  " for note in notes)] if notes else []


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _label(line: Line) -> str:
    label = plain(line.label)
    return f"*{label}*" if line.aside and label else label


def _cell(cell: Cell) -> str:
    text = f"**{plain(cell.text)}**" if cell.best else plain(cell.text)
    return f"{text} {plain(cell.range)}" if cell.range else text


def plain(text: str) -> str:
    """Nothing in a label or a note is markup."""
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", text).replace("\n", " ")
