"""Tables in the terminal."""

import io
from itertools import zip_longest

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from imprint.tables.table import Cell, Table, clean

WIDTH = 120  # of what is written by the log


def rendered(table: Table) -> RenderableType:
    rich = RichTable(box=box.SIMPLE_HEAD, title=plain(table.title, "bold"), title_justify="left", pad_edge=False)
    for column in table.columns:
        rich.add_column(plain(column.heading), justify="right" if column.kind == "number" else "left", overflow="fold")
    for row, after in zip_longest(table.rows, table.rows[1:]):
        first, *rest = table.texts(row)
        label = _cell(*first, style="italic" if row.is_reference else "")
        rich.add_row(label, *(_cell(*each) for each in rest), end_section=after is not None and after.is_apart)
    return Group(rich, *(plain(note, "dim") for note in table.notes), Text())


def as_text(table: Table) -> str:
    """Without colours, for the log."""
    out = io.StringIO()
    Console(file=out, width=WIDTH, highlight=False).print(rendered(table), soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")


def plain(text: str, style: str = "") -> Text:
    return Text(clean(text), style=style)


def _cell(cell: Cell, text: str, beside: str, style: str = "") -> Text:
    shown = plain(text, "bold" if cell.is_best else style)
    return shown.append_text(plain(f" {beside}", "dim not bold")) if beside else shown
