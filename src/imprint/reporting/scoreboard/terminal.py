"""Tables in the terminal."""

from itertools import zip_longest

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from imprint.reporting.scoreboard.table import Cell, Table


def rendered(table: Table) -> RenderableType:
    rich = RichTable(box=box.SIMPLE_HEAD, title=Text(table.title, style="bold"), title_justify="left", pad_edge=False)
    rich.add_column(Text(table.corner), overflow="fold")
    for number, heading in enumerate(table.headings):
        rich.add_column(Text(heading), justify="left" if number < table.texts else "right", overflow="fold")
    for line, after in zip_longest(table.lines, table.lines[1:]):
        label = Text(line.label, style="italic" if line.aside else "")
        rich.add_row(label, *map(_cell, line.cells), end_section=after is not None and after.apart)
    return Group(rich, *(Text(note, style="dim") for note in table.notes), Text())


def _cell(cell: Cell) -> Text:
    text = Text(cell.text, style="bold" if cell.best else "")
    return text.append(f" {cell.range}", style="dim not bold") if cell.range else text
