"""Texts come from files that others wrote: no renderer lets one be more than text."""

import csv
import io
import re

import pytest
from rich.console import Console

from imprint.tables.csv import as_csv
from imprint.tables.html import html
from imprint.tables.latex import latex
from imprint.tables.markdown import code, code_block, markdown, plain
from imprint.tables.table import Cell, Column, Row, Table
from imprint.tables.terminal import as_text, rendered

HOSTILE = [
    "\x1b[31mred\x1b]0;title\x07",
    "a | b",
    "[link](http://elsewhere) ![picture](http://elsewhere/p.png)",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"><b>',
    "=cmd|' /C calc'!A0",
    "\\input{secret} $x$ 50% a_b & {c} #1 ~^",
    "two\nlines\r\n\tand more",
    "`code` **bold** *it* ~~gone~~ &lt; www.elsewhere.org",
    "\u202edesrever",
    "not UTF-8: \udcff\x00\x9b31m",
]


def table(text: str, **more: object) -> Table:
    """The text in each place that takes one."""
    return Table(
        key="t",
        title=text,
        columns=[
            Column(text, kind="text", about=text, group=text),
            Column("code", kind="code"),
            Column("score", "{:.3f}".format),
        ],
        rows=[Row([Cell(text, about=text, detail=text), Cell(text), Cell(0.5)], name=text)],
        notes=[text],
        **more,  # type: ignore[arg-type]
    )


def lines_of(found: Table) -> list[str]:
    return [line for line in markdown(found).splitlines() if line.startswith("|")]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_written_can_steer_a_terminal_or_break_a_file(text: str) -> None:
    found = table(text)
    coloured = Console(file=io.StringIO(), force_terminal=True, width=200)
    coloured.print(rendered(found))
    assert isinstance(coloured.file, io.StringIO)
    own_styles = re.sub(r"\x1b\[[\d;]*m", "", coloured.file.getvalue())
    for written in (own_styles, as_text(found), markdown(found), latex(found), as_csv(found), html(found)):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", written)
        written.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_keeps_its_cells_and_has_no_markup_of_others(text: str) -> None:
    found = lines_of(table(text))
    assert len(found) == 3
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in found} == {4}
    bare = re.sub(r"(`+).*?\1(?!`)|\\.", "", markdown(table(text)))
    assert not re.search(r"[<>\[\]`*_~]|https?://|www\.|&\w+;", bare)


def test_a_line_of_markdown_begins_no_block() -> None:
    for text in ("# big", "- item", "+ item", "1. first", "2) second", "---", "===", "> said", "    indented"):
        assert re.match(r"\\|\d+\\|indented", plain(text)), text
    assert [plain(text) for text in ("-1.5", "lr 0.1", "+0.2", "1.5")] == ["-1.5", "lr 0.1", "+0.2", "1.5"]


def test_code_is_as_it_was_typed_and_ends_where_it_ends() -> None:
    assert code("method.lr=1e-4") == "`method.lr=1e-4`"
    assert code("a`b``c") == "```a`b``c```"
    assert code("`a`").startswith("`` `a`")
    block = code_block("Traceback\n```\n# no heading\n````")
    assert block.splitlines()[0] == block.splitlines()[-1] == "`````"


@pytest.mark.parametrize("text", HOSTILE)
def test_html_has_no_elements_or_attributes_of_others(text: str) -> None:
    page = html(table(text), is_sortable=True)
    assert set(re.findall(r"<(\w+)", page)) <= {
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "td",
        "th",
        "button",
        "ul",
        "li",
        "span",
    }
    assert set(re.findall(r'\s([\w-]+)="[^"]*"', page)) <= {
        *("class", "colspan", "title", "aria-sort", "data-first", "data-run", "data-text", "data-value"),
    }


@pytest.mark.parametrize("start", ["=1+1", "+1+cmd", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1"])
def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(start: str) -> None:
    found = Table.of_values([start, "value"], [[start, -0.25], ["-1e-4", None], ['plain, "text"\nof two lines', 3]])
    heading, first, second, third = csv.reader(io.StringIO(as_csv(found)))
    for cell in (heading[0], first[0]):
        assert cell.startswith("'")
    assert float(first[1]) == -0.25
    assert second == ["-1e-4", ""]
    assert third == ['plain, "text"\nof two lines', "3"]


def test_latex_takes_a_text_for_a_text() -> None:
    found = Table(
        key="t",
        title="50% of a_b",
        columns=[Column("", kind="text"), Column("x|y"), Column("{z}")],
        rows=[
            Row([Cell("[a] & <b>"), Cell(-1.0, (0.0, 1.0), is_best=True), Cell()], is_reference=True, is_apart=True),
            Row([Cell("~^\\"), Cell("\u2212"), Cell("")]),
        ],
    )
    text = latex(found)
    assert r"\caption{50\% of a\_b}" in text
    assert r"\begin{tabular}{lrr}" in text
    assert r"\textit{{[}a{]} \& $<$b$>$} & \textbf{-1.0} {\scriptsize {[}0.0, 1.0{]}} & --" in text
    assert r"\textasciitilde{}\textasciicircum{}\textbackslash{} & $-$ & " in text


def test_every_renderer_marks_the_best_and_says_what_is_not_known() -> None:
    rows = [
        Row([Cell("a"), Cell(0.51234, (0.4, 0.6), mark="†", is_best=True)]),
        Row([Cell("b"), Cell(float("nan"))]),
        Row([Cell("c"), Cell()], is_reference=True),
    ]
    found = Table(columns=[Column("", kind="text"), Column("score", "{:.2f}".format)], rows=rows)
    assert "| a | **0.51†** \\[0.40, 0.60\\] |" in markdown(found)
    assert "| *c* | – |" in markdown(found)
    assert r"\textbf{0.51$^\dagger$} {\scriptsize {[}0.40, 0.60{]}}" in latex(found)
    assert re.search(r"a +0\.51† \[0\.40, 0\.60\]\n.*b +no number", as_text(found))
    page = html(found)
    assert re.search(r'<strong title="the best">0\.51†</strong> <span class="range">\[0\.40, 0\.60\]</span>', page)
    assert re.search(r'<tfoot>\s*<tr>\s*<th class="aside">c</th>\s*<td class="number">–</td>', page)
    assert as_csv(found).splitlines()[1] == "a,0.51234"
