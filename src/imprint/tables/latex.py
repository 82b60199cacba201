"""Tables as LaTeX, for the packages booktabs and amssymb."""

from collections.abc import Iterable, Iterator

from imprint.tables.table import Cell, Row, Table, clean

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "[": "{[}",  # at the beginning of a row it would be an argument of the line break before it
    "]": "{]}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{MINUS SIGN}": r"$-$",
    "\N{EN DASH}": "--",
    "\N{DAGGER}": r"$^\dagger$",
}


def latex(table: Table) -> str:
    columns = "".join("r" if column.kind == "number" else "l" for column in table.columns)
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{escaped('. '.join([table.title, *table.notes]))}}}",
            rf"  \label{{tab:{table.key}}}",
            rf"  \begin{{tabular}}{{{columns}}}",
            r"    \toprule",
            _line(map(escaped, table.headings)),
            r"    \midrule",
            *_rows(table),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in clean(text))


def _rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        if row.is_apart:
            yield r"    \midrule"
        yield _line(_cells(table, row))


def _cells(table: Table, row: Row) -> Iterator[str]:
    for place, parts in enumerate(table.texts(row)):
        text = _cell(*parts)
        yield rf"\textit{{{text}}}" if row.is_reference and place == 0 else text


def _cell(cell: Cell, text: str, beside: str) -> str:
    text = rf"\textbf{{{escaped(text)}}}" if cell.is_best else escaped(text)
    return rf"{text} {{\scriptsize {escaped(beside)}}}" if beside else text


def _line(cells: Iterable[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"
