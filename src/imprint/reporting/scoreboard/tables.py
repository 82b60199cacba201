"""A scoreboard as tables, the most important first."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import TypeVar

from imprint.evaluation.statistics.intervals import Interval
from imprint.reporting.scoreboard.board import ALL, Board
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.costs import COST_COLUMNS, cost_cells
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.table_notes import PARTIAL, notes_of_comparisons, notes_of_means
from imprint.reporting.units import MINUS, plus, probability, score
from imprint.tables.table import UNKNOWN, Cell, Column, Row, Table

ENTRY = Column("", kind="text")
T = TypeVar("T")


def tables(board: Board) -> Iterator[Table]:
    for kind in board.kinds:
        yield means(board, kind)
    if board.comparisons or board.not_compared:
        yield comparisons(board)
    for column in board.columns:
        yield from by_category(board, column)
    if len(board.subjects) > 1:
        for column in board.columns:
            yield by_subject(board, column)
    if any(each.seed_spread is not None for each in board.scores):
        yield seeds(board)
    yield pictures(board)
    if board.costs:
        yield costs(board)
    if board.published:
        yield published(board)


def means(board: Board, kind: str) -> Table:
    found = {
        entry.label: [board.score(entry.label, column.key, kind=kind) for column in board.columns]
        for entry in board.entries
    }
    shown = [entry for entry in board.entries if any(found[entry.label])]
    rows = []
    for entry in shown:
        known = [each for each in found[entry.label] if each]
        cells = [_mean(board, each) for each in found[entry.label]]
        counts = [_span({each.subjects for each in known})]
        counts.append(_span({number for each in known for number in each.seeds}) if entry.role == "contestant" else "")
        rows.append([*cells, *map(Cell, counts)])
    return Table(
        key=f"scores-{kind}",
        title="Scores" if kind == ALL else f"Scores, {kind} subjects",
        columns=[ENTRY, *_headings(board.columns), Column("subjects"), Column("seeds")],
        rows=_entry_rows(shown, rows),
        notes=list(notes_of_means(board, kind)),
    )


def comparisons(board: Board) -> Table:
    titles = {column.key: column.title for column in board.columns}
    families = {each.column for each in board.comparisons}
    rows: list[Row] = []
    for each, is_first in _with_breaks(board.comparisons, lambda each: each.column):
        tests = [each.p, each.p_holm, *([each.p_holm_all] if len(families) > 1 else []), each.p_wilcoxon_holm]
        cells = [
            Cell(titles[each.column] if is_first else ""),
            Cell(f"{each.first} {MINUS} {each.second}"),
            Cell(each.difference, _ends(each.interval), mark=PARTIAL if each.lost else ""),
            Cell(f"{each.units} {each.unit}"),
            *map(Cell, (*tests, each.hedges_g, each.rank_biserial)),
        ]
        rows.append(Row(cells, is_apart=is_first and bool(rows)))
    return Table(
        key="comparisons",
        title="Pairs",
        columns=[
            Column("metric", kind="text"),
            Column("pair", kind="text"),
            Column("difference", plus),
            Column("over"),
            *(
                Column(heading, probability)
                for heading in ("p", "p (Holm)", *(["p (Holm, all)"] if len(families) > 1 else []), "Wilcoxon p (Holm)")
            ),
            *(Column(heading, lambda value: plus(value, 2)) for heading in ("Hedges' g", "rank-biserial")),
        ],
        rows=rows,
        notes=[
            *notes_of_comparisons(board),
            *(f"{titles[c.column]}: {c.first} and {c.second}: {c.why}." for c in board.not_compared),
        ],
    )


def by_category(board: Board, column: ScoreColumn) -> Iterator[Table]:
    found = dict.fromkeys(each.category for each in board.scores if each.column == column.key and each.category)
    shown = _scored(board, column)
    if found:
        yield Table(
            key=f"categories-{column.key}",
            title=f"{column.heading} by category of prompts",
            columns=[ENTRY, *(Column(str(category).replace("_", " "), score) for category in found)],
            rows=_entry_rows(
                shown,
                [
                    [_number(board.score(entry.label, column.key, category=category)) for category in found]
                    for entry in shown
                ],
            ),
        )


def by_subject(board: Board, column: ScoreColumn) -> Table:
    shown = _scored(board, column)
    rows = []
    kind = ""
    for subject, own in sorted(board.subjects.items(), key=lambda item: (item[1], item[0])):
        cells = [_number(board.score(entry.label, column.key, subject=subject)) for entry in shown]
        if any(cell.is_known for cell in cells):
            rows.append(Row([Cell(subject), *cells], is_apart=kind not in ("", own)))
            kind = own
    return Table(
        key=f"subjects-{column.key}",
        title=f"{column.heading} by subject",
        columns=[Column("subject", kind="text"), *(Column(entry.label, score) for entry in shown)],
        rows=rows,
        notes=[f"{PARTIAL} some of its prompts have no number."]
        if any(c.mark for row in rows for c in row.cells)
        else [],
    )


def seeds(board: Board) -> Table:
    rows = []
    for entry in board.contestants:
        found = [board.score(entry.label, column.key) for column in board.columns]
        rows.append([*(Cell(each.seed_spread if each else None) for each in found), Cell(entry.seeds)])
    return Table(
        key="seeds",
        title="Spread over training seeds",
        columns=[ENTRY, *(Column(column.title, score) for column in board.columns), Column("seeds")],
        rows=_entry_rows(board.contestants, rows),
        notes=["Standard deviation over the seeds of a subject; the root mean square over subjects."],
    )


def pictures(board: Board) -> Table:
    shown = [entry for entry in board.entries if board.pictures[entry.label].asked]
    return Table(
        key="pictures",
        title="Pictures",
        columns=[ENTRY, *(Column(heading, "{:,}".format) for heading in ("asked", "drawn", "failed", "blank"))],
        rows=_entry_rows(shown, [[*map(Cell, vars(board.pictures[entry.label]).values())] for entry in shown]),
        notes=["Failed and blank pictures have no part in the means."],
    )


def costs(board: Board) -> Table:
    return Table(
        key="costs",
        title="Cost of a run",
        columns=[ENTRY, *COST_COLUMNS],
        rows=[Row([Cell(label), *cost_cells(cost)]) for label, cost in board.costs.items()],
        notes=["Means over runs."],
    )


def published(board: Board) -> Table:
    over = [column for column in board.columns if any(column.key in each.metrics for each in board.published)]
    rows: list[Row] = []
    for each, is_first in _with_breaks(board.published, lambda each: each.claim.source):
        figures = [each.claim.scores[each.metrics[c.key]] if c.key in each.metrics else None for c in over]
        verdict = "comparable, as far as the source tells" if not each.reasons else "not comparable"
        source = each.claim.source if is_first else ""
        cells = [Cell(source), Cell(each.claim.label), *map(Cell, figures), Cell(verdict)]
        rows.append(Row(cells, is_apart=is_first and bool(rows), is_reference=True))
    reasons = [
        *(f"{e.claim.source} is not comparable: {'; '.join(e.reasons)}." for e in board.published if e.reasons),
        *(f"{e.claim.source} leaves open {'; '.join(e.claim.unknown)}." for e in board.published if e.claim.unknown),
    ]
    return Table(
        key="published",
        title="Published figures",
        columns=[Column("source", kind="text"), Column("what", kind="text"), *_headings(over), Column("beside ours")],
        rows=rows,
        notes=list(dict.fromkeys(reasons)),
    )


def _with_breaks(items: Sequence[T], key: Callable[[T], str]) -> Iterator[tuple[T, bool]]:
    """Each with whether its key differs from the one before."""
    for _, group in groupby(items, key):
        for place, item in enumerate(group):
            yield item, place == 0


def _headings(columns: Sequence[ScoreColumn]) -> list[Column]:
    return [Column(column.heading, score) for column in columns]


def _entry_rows(entries: Sequence[Entry], cells: Sequence[Sequence[Cell]]) -> list[Row]:
    """Contestants, then floors, then ceilings, with a line between them."""
    first = {after.label for before, after in pairwise(entries) if before.role != after.role}
    return [
        Row([Cell(entry.label), *own], is_apart=entry.label in first, is_reference=entry.role != "contestant")
        for entry, own in zip(entries, cells, strict=True)
    ]


def _mean(board: Board, found: Score | None) -> Cell:
    if found is None:
        return Cell()
    mark = "" if board.is_whole(found) else PARTIAL
    return Cell(found.mean, _ends(found.interval), mark=mark, is_best=board.is_best(found))


def _scored(board: Board, column: ScoreColumn) -> list[Entry]:
    return [entry for entry in board.entries if board.score(entry.label, column.key)]


def _number(found: Score | None) -> Cell:
    return Cell(found.mean if found else None, mark=PARTIAL if found and found.lost else "")


def _ends(interval: Interval | None) -> tuple[float, float] | None:
    return (interval.low, interval.high) if interval else None


def _span(numbers: set[int]) -> str:
    if not numbers:
        return UNKNOWN
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}{UNKNOWN}{high}"
