"""Tables as LaTeX, for the packages booktabs and amssymb."""

from collections.abc import Iterator, Sequence

from imprint.reporting.scoreboard.table import Cell, Table

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
    "\n": " ",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{MINUS SIGN}": r"$-$",
    "\N{EN DASH}": "--",
    "\N{DAGGER}": r"$^\dagger$",
}


def latex(table: Table) -> str:
    columns = "l" * (1 + table.texts) + "r" * (len(table.headings) - table.texts)
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{escaped('. '.join([table.title, *table.notes]))}}}",
            rf"  \label{{tab:{table.key}}}",
            rf"  \begin{{tabular}}{{{columns}}}",
            r"    \toprule",
            _row([table.corner, *table.headings]),
            r"    \midrule",
            *_lines(table),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def _lines(table: Table) -> Iterator[str]:
    for line in table.lines:
        if line.apart:
            yield r"    \midrule"
        label = rf"\textit{{{escaped(line.label)}}}" if line.aside else escaped(line.label)
        yield f"    {' & '.join([label, *map(_cell, line.cells)])} \\\\"


def _row(texts: Sequence[str]) -> str:
    return f"    {' & '.join(map(escaped, texts))} \\\\"


def _cell(cell: Cell) -> str:
    text = rf"\textbf{{{escaped(cell.text)}}}" if cell.best else escaped(cell.text)
    return rf"{text} {{\scriptsize {escaped(cell.range)}}}" if cell.range else text
