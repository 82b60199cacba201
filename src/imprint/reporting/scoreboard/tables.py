"""A scoreboard as tables, the most important first."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import TypeVar

from imprint.evaluation.statistics.intervals import LEVELS, Interval
from imprint.reporting.scoreboard.board import ALL, Board
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.costs import COST_COLUMNS, cost_cells
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.units import MINUS, plus, probability, score
from imprint.tables.table import UNKNOWN, Cell, Column, Row, Table

PARTIAL = "\N{DAGGER}"
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
    subjects = [name for name, own in board.subjects.items() if kind in (ALL, own)]
    best = {column.key: _best(board, column, kind, len(subjects)) for column in board.columns}
    found = {
        entry.label: [board.score(entry.label, column.key, kind=kind) for column in board.columns]
        for entry in board.entries
    }
    shown = [entry for entry in board.entries if any(found[entry.label])]
    rows = []
    for entry in shown:
        known = [each for each in found[entry.label] if each]
        cells = [
            _mean(each, len(subjects), best[column.key])
            for each, column in zip(found[entry.label], board.columns, strict=True)
        ]
        counts = [_span({each.subjects for each in known})]
        counts.append(_span({number for each in known for number in each.seeds}) if entry.role == "contestant" else "")
        rows.append([*cells, *map(Cell, counts)])
    intervals = [each.interval for each in board.scores if each.interval and each.kind == kind]
    levels = [level for level in LEVELS if any(level in each.resampled for each in intervals)]
    notes = [f"In brackets: 95% bootstrap intervals over {_listed(levels)}."] if levels else []
    if any(cell.mark for cells in rows for cell in cells):
        notes.append(f"{PARTIAL} not over all {len(subjects)} subjects, and not to be compared with the others.")
    return Table(
        key=f"scores-{kind}",
        title="Scores" if kind == ALL else f"Scores, {kind} subjects",
        columns=[ENTRY, *_headings(board.columns), Column("subjects"), Column("seeds")],
        rows=_entry_rows(shown, rows),
        notes=notes,
    )


def comparisons(board: Board) -> Table:
    titles = {column.key: column.title for column in board.columns}
    rows: list[Row] = []
    for each, is_first in _with_breaks(board.comparisons, lambda each: each.column):
        cells = [
            Cell(titles[each.column] if is_first else ""),
            Cell(f"{each.first} {MINUS} {each.second}"),
            Cell(each.difference, _ends(each.interval)),
            Cell(f"{each.units} {each.unit}"),
            *map(Cell, (each.p, each.p_holm, each.p_wilcoxon_holm, each.hedges_g, each.rank_biserial)),
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
            *(Column(heading, probability) for heading in ("p", "p (Holm)", "Wilcoxon p (Holm)")),
            *(Column(heading, lambda value: plus(value, 2)) for heading in ("Hedges' g", "rank-biserial")),
        ],
        rows=rows,
        notes=[
            "p: sign-flip permutation test of the mean paired difference, two-sided. Holm: corrected for all pairs of "
            "the metric.",
            *(f"{titles[each.column]}: {each.first} and {each.second}: {each.why}." for each in board.not_compared),
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


def _mean(found: Score | None, subjects: int, best: float | None) -> Cell:
    if found is None:
        return Cell()
    is_partial = found.subjects < subjects
    is_best = not is_partial and found.mean == best
    return Cell(found.mean, _ends(found.interval), mark=PARTIAL if is_partial else "", is_best=is_best)


def _best(board: Board, column: ScoreColumn, kind: str, subjects: int) -> float | None:
    """The best of what was scored on all subjects; a contest takes two."""
    found = [board.score(entry.label, column.key, kind=kind) for entry in board.contestants]
    means = [each.mean for each in found if each and each.subjects == subjects]
    return column.best(means) if len(means) > 1 else None


def _scored(board: Board, column: ScoreColumn) -> list[Entry]:
    return [entry for entry in board.entries if board.score(entry.label, column.key)]


def _number(found: Score | None) -> Cell:
    return Cell(found.mean if found else None)


def _ends(interval: Interval | None) -> tuple[float, float] | None:
    return (interval.low, interval.high) if interval else None


def _span(numbers: set[int]) -> str:
    if not numbers:
        return UNKNOWN
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}{UNKNOWN}{high}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
