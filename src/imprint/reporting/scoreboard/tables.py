"""A board as tables, in the order in which one asks."""

from collections.abc import Iterator, Sequence

from imprint.evaluation.statistics.intervals import LEVELS, Interval
from imprint.reporting.scoreboard.board import ALL, Board
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.published import Beside
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.table import EMPTY, Cell, Line, Table
from imprint.reporting.units import MINUS, duration, memory, plus, probability, quantity, score, size

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


def pictures(board: Board) -> Table:
    shown = [entry for entry in board.entries if board.pictures[entry.label].asked]
    return Table(
        key="pictures",
        title="Pictures",
        corner="",
        headings=["asked", "drawn", "failed", "blank"],
        lines=[
            entry_line(entry, before, [Cell(f"{count:,}") for count in vars(board.pictures[entry.label]).values()])
            for before, entry in zip([None, *shown], shown, strict=False)
        ],
        notes=["Failed and blank pictures have no part in the means."],
    )


def costs(board: Board) -> Table:
    lines = [
        Line(
            label,
            [
                Cell(duration(cost.seconds)),
                Cell(memory(cost.peak_memory_bytes)),
                Cell(quantity(cost.trained_parameters)),
                Cell(size(cost.result_bytes)),
            ],
        )
        for label, cost in board.costs.items()
    ]
    headings = ["training time", "peak memory", "trained parameters", "size of the result"]
    notes = ["Means over runs."]
    return Table(key="costs", title="Cost of a run", corner="", headings=headings, lines=lines, notes=notes)


def published(board: Board) -> Table:
    over = [column for column in board.columns if any(column.key in each.metrics for each in board.published)]
    lines = []
    for before, each in zip([None, *board.published], board.published, strict=False):
        cells = [_figure(each, column) for column in over]
        verdict = "comparable, as far as the source tells" if not each.against else "not comparable"
        first = before is None or before.claim.source != each.claim.source
        label = each.claim.source if first else ""
        lines.append(
            Line(label, [Cell(each.claim.label), *cells, Cell(verdict)], first and before is not None, aside=True)
        )
    reasons = {
        f"{each.claim.source} is not comparable: {'; '.join(each.against)}.": None
        for each in board.published
        if each.against
    }
    unknown = {
        f"{each.claim.source} leaves open {'; '.join(each.claim.unknown)}.": None
        for each in board.published
        if each.claim.unknown
    }
    return Table(
        key="published",
        title="Published figures",
        corner="source",
        headings=["what", *(column.heading for column in over), "beside ours"],
        lines=lines,
        texts=1,
        notes=[*reasons, *unknown],
    )


def _figure(beside: Beside, column: Column) -> Cell:
    metric = beside.metrics.get(column.key)
    return EMPTY if metric is None else Cell(score(beside.claim.scores[metric]))


def entry_line(entry: Entry, before: Entry | None, cells: Sequence[Cell]) -> Line:
    apart = before is not None and before.role != entry.role
    return Line(entry.label, cells, apart, aside=entry.role != "contestant")


def bounds(interval: Interval | None) -> str:
    return "" if interval is None else f"[{score(interval.low)}, {score(interval.high)}]"
