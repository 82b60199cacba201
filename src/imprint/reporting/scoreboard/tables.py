"""A board as tables, in the order in which one asks."""

from collections.abc import Iterator, Sequence

from imprint.evaluation.statistics.intervals import LEVELS
from imprint.reporting.scoreboard.accounts import costs, pictures, published
from imprint.reporting.scoreboard.board import ALL, Board
from imprint.reporting.scoreboard.breakdowns import by_category, by_subject, seeds
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.lines import bounds, entry_line
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.table import EMPTY, Cell, Line, Table
from imprint.reporting.units import MINUS, plus, probability, score

PARTIAL = "\N{DAGGER}"


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
    shown = [entry for entry in board.entries if any(board.score(entry.label, c.key, kind=kind) for c in board.columns)]
    subjects = [name for name, own in board.subjects.items() if kind in (ALL, own)]
    best = {column.key: _best(board, column, kind, len(subjects)) for column in board.columns}
    lines = []
    for before, entry in zip([None, *shown], shown, strict=False):
        found = [board.score(entry.label, column.key, kind=kind) for column in board.columns]
        known = [each for each in found if each]
        cells = [
            _mean(each, len(subjects), best[column.key]) for each, column in zip(found, board.columns, strict=True)
        ]
        count = Cell(_span({each.subjects for each in known}))
        seeds = Cell(_span({number for each in known for number in each.seeds}) if entry.role == "contestant" else "")
        lines.append(entry_line(entry, before, [*cells, count, seeds]))
    intervals = [each.interval for each in board.scores if each.interval and each.kind == kind]
    levels = [level for level in LEVELS if any(level in each.resampled for each in intervals)]
    notes = [f"In brackets: 95% bootstrap intervals over {_listed(levels)}."] if levels else []
    if any(PARTIAL in cell.text for line in lines for cell in line.cells):
        notes.append(f"{PARTIAL} not over all {len(subjects)} subjects, and not to be compared with the others.")
    title = "Scores" if kind == ALL else f"Scores, {kind} subjects"
    headings = [*(column.heading for column in board.columns), "subjects", "seeds"]
    return Table(key=f"scores-{kind}", title=title, corner="", headings=headings, lines=lines, notes=notes)


def _mean(found: Score | None, subjects: int, best: float | None) -> Cell:
    if found is None:
        return EMPTY
    mark = PARTIAL if found.subjects < subjects else ""
    return Cell(f"{score(found.mean)}{mark}", bounds(found.interval), best=not mark and found.mean == best)


def _best(board: Board, column: Column, kind: str, subjects: int) -> float | None:
    """The best of what was scored on all subjects; a contest takes two."""
    found = [board.score(entry.label, column.key, kind=kind) for entry in board.contestants]
    means = [each.mean for each in found if each and each.subjects == subjects]
    if len(means) < 2 or column.facts.better == "neither":
        return None
    return max(means) if column.facts.better == "higher" else min(means)


def comparisons(board: Board) -> Table:
    titles = {column.key: column.title for column in board.columns}
    last = ""
    lines = []
    for each in board.comparisons:
        cells = [
            Cell(f"{each.first} {MINUS} {each.second}"),
            Cell(plus(each.difference), bounds(each.interval)),
            Cell(f"{each.units} {each.unit}"),
            Cell(probability(each.p)),
            Cell(probability(each.p_holm)),
            Cell(probability(each.p_wilcoxon_holm)),
            EMPTY if each.hedges_g is None else Cell(plus(each.hedges_g, 2)),
            Cell(plus(each.rank_biserial, 2)),
        ]
        lines.append(
            Line(titles[each.column] if each.column != last else "", cells, apart=last not in ("", each.column))
        )
        last = each.column
    return Table(
        key="comparisons",
        title="Pairs",
        corner="metric",
        headings=["pair", "difference", "over", "p", "p (Holm)", "Wilcoxon p (Holm)", "Hedges' g", "rank-biserial"],
        lines=lines,
        texts=1,
        notes=[
            "p: sign-flip permutation test of the mean paired difference, two-sided. Holm: corrected for all pairs of "
            "the metric.",
            *(f"{titles[each.column]}: {each.first} and {each.second}: {each.why}." for each in board.not_compared),
        ],
    )


def _span(numbers: set[int]) -> str:
    if not numbers:
        return EMPTY.text
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}\N{EN DASH}{high}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
