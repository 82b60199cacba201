"""Tables as Markdown, and other texts as parts of it."""

import re
from collections.abc import Iterable

from imprint.tables.table import Cell, Column, Row, Table, clean

MARKUP = re.compile(r"([\\`*_<>|\[\]~]|&(?=#?\w+;)|:(?=//)|(?<=www)\.)")
BLOCK = re.compile(r"^(\d*)([.)]|[#+=-]+)(?=\s|$)")  # at the beginning of a line: a heading, a list, a rule


def markdown(table: Table) -> str:
    title = [f"## {plain(table.title)}", ""] if table.title else []
    marks = ["---:" if column.kind == "number" else "---" for column in table.columns]
    lines = [_line(map(plain, table.headings)), _line(marks), *(_row(table, row) for row in table.rows)]
    notes = ["", *(f"{plain(note)}  " for note in table.notes)] if table.notes else []
    return "\n".join([*title, *lines, *notes, ""])


def plain(text: str) -> str:
    """Nothing in it is markup, and no address in it is a link."""
    text = MARKUP.sub(r"\\\1", clean(text).strip())
    return BLOCK.sub(r"\1\\\2", text)


def code(text: str) -> str:
    """As it is typed."""
    text = clean(text)
    fence = _fence(text, 1)
    pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text.strip() else ""


def code_cell(text: str) -> str:
    """In a table, where a bar would end the cell."""
    return code(text).replace("|", "\\|")


def code_block(text: str, language: str = "") -> str:
    text = clean(text, keep="\n")
    fence = _fence(text, 3)
    return f"{fence}{language}\n{text}\n{fence}"


def _row(table: Table, row: Row) -> str:
    cells = [_cell(column, *parts) for column, parts in zip(table.columns, table.texts(row), strict=True)]
    return _line([f"*{cells[0]}*" if row.is_reference and cells[0] else cells[0], *cells[1:]])


def _cell(column: Column, cell: Cell, text: str, beside: str) -> str:
    written = code_cell(text) if column.kind == "code" else plain(text)
    return f"{f'**{written}**' if cell.is_best else written} {plain(beside)}".rstrip()


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _fence(text: str, least: int) -> str:
    """Longer than any row of backticks in it."""
    return "`" * max([least, *(len(run) + 1 for run in re.findall("`+", text))])
