"""Tables as CSV: values without formatting, for programs and spreadsheets."""

import csv
import io

from imprint.tables.table import Table, clean

FORMULA = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}")


def as_csv(table: Table) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, table.headings))
    writer.writerows(map(_cell, row) for row in table.values)
    return text.getvalue()


def _cell(value: str | float | None) -> str | float | None:
    """A text that a spreadsheet would take for a formula begins with an apostrophe. Numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = clean(value, keep="\n")
    return f"'{text}" if text.strip().startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
