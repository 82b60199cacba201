"""Tables: whatever a text is, no renderer lets it be more than text."""

import csv
import io
import re
from html.parser import HTMLParser
from typing import Any

from hostile.answers import STEERING
from hostile.invented import finite_or_not, texts
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from imprint.tables.csv import FORMULA, as_csv
from imprint.tables.html import html
from imprint.tables.latex import SPECIAL, latex
from imprint.tables.markdown import code, code_block, markdown, plain
from imprint.tables.table import Cell, Column, Row, Table
from imprint.tables.terminal import as_text, rendered

OWN_STYLES = re.compile(r"\x1b\[[\d;]*m")


def table(text: str, other: str) -> Table:
    """The texts in each place that takes one."""
    return Table(
        key="t",
        title=text,
        columns=[
            Column(text, kind="text", about=other, group=text),
            Column("code", kind="code"),
            Column("score", "{:.3f}".format),
        ],
        rows=[
            Row([Cell(text, about=other, detail=text, mark=other, link=text), Cell(other), Cell(0.5)], name=text),
            Row([Cell(other, state=text), Cell(text), Cell(other)], is_reference=True, is_apart=True),
        ],
        notes=[text, other],
    )


cells = st.one_of(texts, st.none(), finite_or_not, st.integers())


class Elements(HTMLParser):
    """What a browser makes of markup."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(" ".join([tag, *sorted(name for name, _ in attrs)]))

    def handle_comment(self, data: str) -> None:
        self.found.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.found.append("declaration")


def elements(markup: str) -> list[str]:
    parser = Elements()
    parser.feed(markup)
    parser.close()
    return parser.found


@given(text=texts, other=texts)
def test_nothing_steers_a_terminal_or_breaks_a_file(text: str, other: str) -> None:
    found = table(text, other)
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    console.print(rendered(found))
    assert isinstance(console.file, io.StringIO)
    shown = OWN_STYLES.sub("", console.file.getvalue())
    for written in (shown, as_text(found), markdown(found), latex(found), as_csv(found), html(found)):
        assert not STEERING.search(written)
        written.encode()


@given(text=texts, other=texts)
def test_html_has_the_elements_that_it_has_for_other_texts(text: str, other: str) -> None:
    page = html(table(text, other), is_sortable=True)
    allowed = set(elements(html(table("a", "b"), is_sortable=True)))
    assert {found.split(" ")[0] for found in elements(page)} <= {found.split(" ")[0] for found in allowed}
    names = {name for found in allowed for name in found.split(" ")[1:]}
    assert {name for found in elements(page) for name in found.split(" ")[1:]} <= names


BLOCKS = {
    *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline"),
    *(f"{part}_{end}" for part in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")),
}
INLINE = {"text", "code_inline", "softbreak", "hardbreak", "em_open", "em_close"}


@given(text=texts, other=texts)
@example(text="\\", other="|")
@example(text="a\\|b", other="`\\|`")
@example(text="``", other="`")
def test_a_reader_of_markdown_finds_cells_and_text(text: str, other: str) -> None:
    written = markdown(table(text, other))
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written)
    assert {token.type for token in tokens} <= BLOCKS
    assert {child.type for token in tokens for child in token.children or ()} <= INLINE
    kinds = [token.type for token in tokens]
    assert (kinds.count("tr_open"), kinds.count("th_open"), kinds.count("td_open")) == (3, 3, 6)
    assert not re.search(
        r"https?://|www\.", re.sub(r"(`+).*?\1(?!`)|\\.", "", written)
    )  # some readers make links of it


@given(text=texts)
@example(text="===")
@example(text="- - -")
@example(text="1) first")
def test_a_text_as_a_line_begins_no_block(text: str) -> None:
    line = plain(text)
    for written in (line, f"a\n{line}", f"a\n\n{line}\nb"):
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written)
        assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
        assert {child.type for token in tokens for child in token.children or ()} <= {"text", "softbreak"}


@given(text=texts)
def test_code_ends_where_it_ends(text: str) -> None:
    for written, fence in ((code(text), r"`+"), (code_block(text), r"```+")):
        if written:
            opened = re.match(fence, written)
            assert opened
            inside = written[opened.end() :]
            assert not re.search(rf"(?<!`){opened[0]}(?!`)", inside[: -len(opened[0])].rstrip("\n"))
            assert inside.endswith(opened[0])


@given(text=texts, other=texts)
def test_latex_has_the_commands_that_it_has_for_other_texts(text: str, other: str) -> None:
    written = latex(table(text, other))
    commands = set(re.findall(r"\\(?:[a-zA-Z]+|.)", written, re.DOTALL))
    own = set(re.findall(r"\\(?:[a-zA-Z]+|.)", latex(table("a", "b")) + "".join(SPECIAL.values()) + r"\textbf"))
    assert commands <= own
    bare = re.sub(r"\\[{}]", "", written)
    depth = 0
    for letter in bare:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    assert "%" not in re.sub(r"\\%", "", written)
    assert len(re.sub(r"\\\$", "", written).split("$")) % 2 == 1


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=4), headings=st.lists(texts, min_size=3, max_size=3)
)
def test_a_csv_is_read_back_and_holds_no_formula(rows: list[list[Any]], headings: list[str]) -> None:
    written = as_csv(Table.of_values(headings, rows))
    read = list(csv.reader(io.StringIO(written)))
    assert [len(row) for row in read] == [3] * (len(rows) + 1)
    for row in read:
        for cell in row:
            assert not cell.lstrip().startswith(FORMULA) or re.fullmatch(r"\s*[-+]?[\w.+-]+\s*", cell)
