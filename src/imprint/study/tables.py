"""The tables of a study, for all that shows tables."""

from collections.abc import Iterator, Sequence

import numpy as np

from imprint.evaluation.statistics.crossing import FEWEST_SUBJECTS, table_of_differences
from imprint.evaluation.statistics.intervals import Interval, difference_interval
from imprint.reporting.units import duration, plus, probability, signed
from imprint.study.curves import Worth
from imprint.study.metrics import METRICS
from imprint.study.scores import DRAWS, SEED, Board, Standing
from imprint.tables.table import Cell, Column, Row, Table

SURE = 0.05  # above it, Holm's p says that it may be luck


def number(value: float) -> str:
    return f"{value:.3f}"


def less(value: float) -> str:
    """A difference. Of equal numbers it may be off by rounding."""
    return plus(round(value, 6) + 0.0)


def share(value: float) -> str:
    """Of a gap, which may be less than none."""
    return signed(f"{value:.2f}")


def counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def title_of(board: Board) -> str:
    return f"{board.learner}, {counted(board.shots, 'shot')}"


def has(board: Board, arm: str) -> bool:
    return any(one.arm == arm for one in board.standings[board.first])


def leading(board: Board, metric: str, ceiling: str) -> str | None:
    """The arm that is ahead of each other one, but for the ceiling, by more than the difference's interval; None where
    none is, and so none may be called the best."""
    rivals = [one for one in board.standings[metric] if one.arm != ceiling]
    if len(rivals) < 2:
        return None
    sign = 1 if METRICS[metric].better == "higher" else -1
    first = max(rivals, key=lambda one: sign * one.mean)
    ahead = all(_is_ahead(first, other, sign) for other in rivals if other is not first)
    return first.arm if ahead else None


def _is_ahead(one: Standing, other: Standing, sign: int) -> bool:
    differences = {
        subject: sign * float(np.mean(numbers) - np.mean(other.by_subject[subject]))
        for subject, numbers in one.by_subject.items()
    }
    interval = difference_interval(
        table_of_differences({subject: {"": value} for subject, value in differences.items()}),
        centre=float(np.mean(list(differences.values()))),
        draws=DRAWS,
        seed=SEED,
    )
    return interval is not None and interval.low > 0


def headlines(boards: Sequence[Board], *, against: str, ceiling: str) -> list[str]:
    """Sentences: with each learner and number of shots, which arm gains most, where that is more than luck."""
    said: dict[tuple[str, str], list[int]] = {}  # shots, by learner and what is said of it
    for board in boards:
        if text := _headline(board, against, ceiling):
            said.setdefault((board.learner, text), []).append(board.shots)
    return [f"{learner}, {_shots(shots)}: {text}" for (learner, text), shots in said.items()]


def _headline(board: Board, against: str, ceiling: str) -> str:
    metric = board.first
    facts = METRICS[metric]
    sign = 1 if facts.better == "higher" else -1
    rivals = [one for one in board.standings[metric] if one.difference is not None and one.arm != ceiling]
    sure = [one for one in rivals if one.difference and one.difference.p_holm <= SURE]
    gains = {one.arm: one for one in sure if one.difference and sign * one.difference.mean > 0}
    behind = [one.arm for one in sure if one.arm not in gains]
    if not rivals:
        return ""
    if not gains:
        rest = f"; behind it: {', '.join(behind)}" if behind else ""
        return f"no arm is told to be ahead of {against} in {_small(facts.title)}{rest}."
    best = max(gains.values(), key=lambda one: sign * one.difference.mean if one.difference else 0)
    assert best.difference is not None
    closed = "" if best.closed is None else f", {best.closed:.0%} of what {ceiling} gains"
    more = f"; the furthest of {len(gains)} that are ahead" if len(gains) > 1 else ""
    return (
        f"{best.arm} {less(best.difference.mean)} {_small(facts.title)} beside {against}"
        f"{_said(best.difference.interval)}, p {probability(best.difference.p_holm)}{closed}{more}."
    )


def _shots(shots: Sequence[int]) -> str:
    if len(shots) == 1:
        return counted(shots[0], "shot")
    return f"{', '.join(map(str, shots[:-1]))} and {shots[-1]} shots"


def _small(title: str) -> str:
    return title if title.isupper() else title.lower()


def _said(interval: Interval | None) -> str:
    return "" if interval is None else f" [{less(interval.low)}, {less(interval.high)}]"


def main_table(board: Board, *, against: str, ceiling: str) -> Table:
    """What arms come to: the first metric as it is tested, and the means of the others."""
    first = board.first
    others = [metric for metric in board.standings if metric != first]
    columns = [*_columns(board, first, against, ceiling)]
    columns += [Column(METRICS[metric].title, number, about=METRICS[metric].about) for metric in others]
    columns.append(Column("Time", duration, about="of learning and testing, in all cells"))
    rows = []
    for place, row in enumerate(_rows(board, first, against, ceiling)):
        arm = board.standings[first][place].arm
        means = [Cell(board.standings[metric][place].mean) for metric in others]
        rows.append(row._replace(cells=[*row.cells, *means, Cell(board.seconds[arm])]))
    return Table(
        columns=columns,
        rows=rows,
        title=title_of(board),
        key=f"{board.learner}-{board.shots}",
        notes=list(_notes(board, against, ceiling)),
    )


def further_table(board: Board, metric: str, *, against: str, ceiling: str) -> Table:
    """The same of another metric."""
    return Table(
        columns=_columns(board, metric, against, ceiling),
        rows=_rows(board, metric, against, ceiling),
        title=f"{METRICS[metric].title}: {title_of(board)}",
        key=f"{metric}-{board.learner}-{board.shots}",
        notes=[METRICS[metric].about],
    )


def further_tables(board: Board, *, against: str, ceiling: str) -> list[Table]:
    first = board.first
    others = [metric for metric in board.standings if metric != first]
    return [further_table(board, metric, against=against, ceiling=ceiling) for metric in others]


def by_subject(board: Board) -> Table:
    first = board.first
    standings = board.standings[first]
    rows = [
        Row([Cell(subject), *(Cell(float(np.mean(one.by_subject[subject]))) for one in standings)])
        for subject in standings[0].by_subject
    ]
    return Table(
        columns=[Column(board.unit.capitalize(), kind="text"), *(Column(one.arm, number) for one in standings)],
        rows=rows,
        title=f"{METRICS[first].title} by {board.unit}: {title_of(board)}",
        key=f"subjects-{board.learner}-{board.shots}",
    )


def by_shift(board: Board) -> Table:
    """The first metric of each kind of photos to test on."""
    kinds = {kind: {one.arm: one for one in of[board.first]} for kind, of in board.shifts.items()}
    rows = []
    for one in board.standings[board.first]:
        own = [of[one.arm] for of in kinds.values()]
        rows.append(Row([Cell(one.arm), *(Cell(each.mean, _bounds(each.interval)) for each in own)]))
    return Table(
        columns=[Column("Arm", kind="text"), *(Column(kind, number) for kind in kinds)],
        rows=rows,
        title=f"{METRICS[board.first].title} by shift: {title_of(board)}",
        key=f"shifts-{board.learner}-{board.shots}",
        notes=["A shift is what photos to test on have that training has not, as their rows say."],
    )


def worth_table(worths: Sequence[Worth]) -> Table:
    columns = [
        Column("Learner", kind="text"),
        Column("Arm", kind="text"),
        Column("Shots", str),
        Column("Pictures", "{:.3g}".format, about="beside the photos, of a subject"),
        Column("As good as", kind="text", about="so many photos alone, between those that were tried"),
        Column("Pictures a photo", "{:.3g}".format, about="how many of them are worth a photo more"),
    ]
    rows = [
        Row(
            [
                Cell(one.learner),
                Cell(one.arm),
                Cell(one.shots),
                Cell(one.pictures),
                Cell(_photos(one), detail=_between(one)),
                Cell(one.each),
            ]
        )
        for one in worths
    ]
    notes = [
        "By what the task is about, along the photos alone. Intervals are of other subjects like these; an end that is "
        "not told is beyond what was tried."
    ]
    return Table(columns=columns, rows=rows, title="What pictures are worth", key="worth", notes=notes)


def _photos(worth: Worth) -> str:
    if worth.photos is None:
        return f"beyond the {worth.beyond} photos tried"
    return f"{worth.photos:.3g} photos"


def _between(worth: Worth) -> str:
    if worth.low is None and worth.high is None:
        return ""
    low, high = ("…" if end is None else f"{end:.3g}" for end in (worth.low, worth.high))
    return f"[{low}, {high}]"


def _units(board: Board) -> str:
    return f"{board.unit}{'e' * board.unit.endswith('s')}s"


def _columns(board: Board, metric: str, against: str, ceiling: str) -> list[Column]:
    title, better, about = METRICS[metric][:3]
    columns = [
        Column("Arm", kind="text"),
        Column(title, number, about=about, best_first=better == "higher"),
        Column(f"less {against}", less, about=f"the difference from {against}, subject by subject"),
        Column("p (Holm)", probability, about="sign-flip test over subjects, corrected for all arms of the table"),
    ]
    closed = Column("gap closed", share, about=f"the share of what {ceiling} gains over {against}")
    return [*columns, closed] if has(board, ceiling) else columns


def _rows(board: Board, metric: str, against: str, ceiling: str) -> list[Row]:
    best = leading(board, metric, ceiling)
    rows = []
    for one in board.standings[metric]:
        cells = [Cell(one.arm), Cell(one.mean, _bounds(one.interval), is_best=one.arm == best)]
        if (difference := one.difference) is None:
            cells += [Cell(), Cell()]
        else:
            cells += [Cell(difference.mean, _bounds(difference.interval)), Cell(difference.p_holm)]
        if has(board, ceiling):
            cells.append(Cell(one.closed, _bounds(one.closed_interval)))
        rows.append(Row(cells, is_reference=one.arm == ceiling))
    return rows


def _notes(board: Board, against: str, ceiling: str) -> Iterator[str]:
    standings = board.standings[board.first]
    first = standings[0]
    seeds = min(len(numbers) for numbers in first.by_subject.values())
    units, count = _units(board), len(first.by_subject)
    of = board.unit if count == 1 else units
    yield f"{count} {of}; {counted(seeds, 'seed')}, averaged before {units} are compared."
    spreads = {one.arm: one.spread for one in standings if one.spread is not None}
    if spreads:
        listed = ", ".join(f"{arm} {spread:.3f}" for arm, spread in spreads.items())
        title = _small(METRICS[first.metric].title)
        yield f"Standard deviation of the mean {title} over seeds: {listed}."
    if first.interval is None:
        yield f"No intervals: there are too few {units} to speak of others."
    else:
        yield f"Intervals: {first.interval.confidence:.0%}, {first.interval.covers}."
    differences = [one.difference for one in standings if one.difference is not None]
    if differences and differences[0].interval is None:
        yield f"Differences from {against} have no intervals, for there are fewer than {FEWEST_SUBJECTS} {units}."
    if has(board, ceiling) and all(one.closed is None for one in standings):
        yield f"No share of a gap is told: what {ceiling} gains over {against} may be chance."


def arms_of(boards: Sequence[Board]) -> list[str]:
    return list(dict.fromkeys(one.arm for board in boards for one in board.standings[board.first]))


def _bounds(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)
