"""Tables of the parts that a mean is made of: categories of prompts, subjects, training seeds."""

from collections.abc import Iterator

from imprint.reporting.scoreboard.board import Board
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.lines import entry_line
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.table import EMPTY, Cell, Line, Table
from imprint.reporting.units import score


def by_category(board: Board, column: Column) -> Iterator[Table]:
    found = dict.fromkeys(each.category for each in board.scores if each.column == column.key and each.category)
    if not found:
        return
    shown = _scored(board, column)
    lines = [
        entry_line(entry, before, [_short(board.score(entry.label, column.key, category=each)) for each in found])
        for before, entry in zip([None, *shown], shown, strict=False)
    ]
    yield Table(
        key=f"categories-{column.key}",
        title=f"{column.heading} by category of prompts",
        corner="",
        headings=[str(category).replace("_", " ") for category in found],
        lines=lines,
    )


def by_subject(board: Board, column: Column) -> Table:
    shown = _scored(board, column)
    lines = []
    kind = ""
    for subject, own in sorted(board.subjects.items(), key=lambda item: (item[1], item[0])):
        found = [board.score(entry.label, column.key, subject=subject) for entry in shown]
        if any(found):
            lines.append(Line(subject, [_short(each) for each in found], apart=kind not in ("", own)))
            kind = own
    return Table(
        key=f"subjects-{column.key}",
        title=f"{column.heading} by subject",
        corner="subject",
        headings=[entry.label for entry in shown],
        lines=lines,
    )


def seeds(board: Board) -> Table:
    lines = []
    for entry in board.contestants:
        found = [board.score(entry.label, column.key) for column in board.columns]
        cells = [EMPTY if not each or each.seed_spread is None else Cell(score(each.seed_spread)) for each in found]
        lines.append(Line(entry.label, [*cells, Cell(str(entry.seeds))]))
    return Table(
        key="seeds",
        title="Spread over training seeds",
        corner="",
        headings=[*(column.title for column in board.columns), "seeds"],
        lines=lines,
        notes=["Standard deviation over the seeds of a subject; the root mean square over subjects."],
    )


def _scored(board: Board, column: Column) -> list[Entry]:
    return [entry for entry in board.entries if board.score(entry.label, column.key)]


def _short(found: Score | None) -> Cell:
    return EMPTY if found is None else Cell(score(found.mean))
