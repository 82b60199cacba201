"""The tables of a study, for all that shows tables."""

from collections.abc import Iterator, Sequence

import numpy as np

from imprint.evaluation.statistics.crossing import FEWEST_SUBJECTS, table_of_differences
from imprint.evaluation.statistics.intervals import Interval, difference_interval
from imprint.reporting.units import duration, plus, probability
from imprint.study.scores import DRAWS, METRICS, SEED, Board, Metric, Standing
from imprint.tables.table import Cell, Column, Row, Table

USUAL = "accuracy"  # the metric that the first table is about, where the task has it
SURE = 0.05  # above it, Holm's p says that it may be luck


def number(value: float) -> str:
    return f"{value:.3f}"


def counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def first_metric(board: Board) -> str:
    return USUAL if USUAL in board.standings else next(iter(board.standings))


def facts_of(metric: str) -> Metric:
    return METRICS[metric]


def title_of(board: Board) -> str:
    return f"{board.learner}, {counted(board.shots, 'shot')}"


def has(board: Board, arm: str) -> bool:
    return any(one.arm == arm for one in board.standings[first_metric(board)])


def leading(board: Board, metric: str, ceiling: str) -> str | None:
    """The arm that is ahead of each other one, but for the ceiling, by more than the difference's interval; None where
    none is, and so none may be called the best."""
    rivals = [one for one in board.standings[metric] if one.arm != ceiling]
    if len(rivals) < 2:
        return None
    sign = 1 if facts_of(metric).better == "higher" else -1
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
    metric = first_metric(board)
    facts = facts_of(metric)
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
        f"{best.arm} {plus(best.difference.mean)} {_small(facts.title)} beside {against}"
        f"{_said(best.difference.interval)}, p {probability(best.difference.p_holm)}{closed}{more}."
    )


def _shots(shots: Sequence[int]) -> str:
    if len(shots) == 1:
        return counted(shots[0], "shot")
    return f"{', '.join(map(str, shots[:-1]))} and {shots[-1]} shots"


def _small(title: str) -> str:
    return title if title.isupper() else title.lower()


def _said(interval: Interval | None) -> str:
    return "" if interval is None else f" [{plus(interval.low)}, {plus(interval.high)}]"


def main_table(board: Board, *, against: str, ceiling: str) -> Table:
    """What arms come to: the first metric as it is tested, and the means of the others."""
    first = first_metric(board)
    others = [metric for metric in board.standings if metric != first]
    columns = [*_columns(board, first, against, ceiling)]
    columns += [Column(facts_of(metric).title, number, about=facts_of(metric).about) for metric in others]
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
        title=f"{facts_of(metric).title}: {title_of(board)}",
        key=f"{metric}-{board.learner}-{board.shots}",
        notes=[facts_of(metric).about],
    )


def further_tables(board: Board, *, against: str, ceiling: str) -> list[Table]:
    first = first_metric(board)
    others = [metric for metric in board.standings if metric != first]
    return [further_table(board, metric, against=against, ceiling=ceiling) for metric in others]


def by_subject(board: Board) -> Table:
    first = first_metric(board)
    standings = board.standings[first]
    rows = [
        Row([Cell(subject), *(Cell(float(np.mean(one.by_subject[subject]))) for one in standings)])
        for subject in standings[0].by_subject
    ]
    return Table(
        columns=[Column("Subject", kind="text"), *(Column(one.arm, number) for one in standings)],
        rows=rows,
        title=f"{facts_of(first).title} by subject: {title_of(board)}",
        key=f"subjects-{board.learner}-{board.shots}",
    )


def _columns(board: Board, metric: str, against: str, ceiling: str) -> list[Column]:
    title, better, about = facts_of(metric)[:3]
    columns = [
        Column("Arm", kind="text"),
        Column(title, number, about=about, best_first=better == "higher"),
        Column(f"less {against}", plus, about=f"the difference from {against}, subject by subject"),
        Column("p (Holm)", probability, about="sign-flip test over subjects, corrected for all arms of the table"),
    ]
    closed = Column("gap closed", number, about=f"the share of what {ceiling} gains over {against}")
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
        rows.append(Row([*cells, Cell(one.closed)] if has(board, ceiling) else cells, is_reference=one.arm == ceiling))
    return rows


def _notes(board: Board, against: str, ceiling: str) -> Iterator[str]:
    standings = board.standings[first_metric(board)]
    first = standings[0]
    seeds = min(len(numbers) for numbers in first.by_subject.values())
    subjects = counted(len(first.by_subject), "subject")
    yield f"{subjects}; {counted(seeds, 'seed')}, averaged before subjects are compared."
    spreads = {one.arm: one.spread for one in standings if one.spread is not None}
    if spreads:
        listed = ", ".join(f"{arm} {spread:.3f}" for arm, spread in spreads.items())
        title = _small(facts_of(first.metric).title)
        yield f"Standard deviation of the mean {title} over seeds: {listed}."
    if first.interval is None:
        yield "No intervals: there are too few subjects to speak of others."
    else:
        yield f"Intervals: {first.interval.confidence:.0%}, {first.interval.covers}."
    differences = [one.difference for one in standings if one.difference is not None]
    if differences and differences[0].interval is None:
        yield f"Differences from {against} have no intervals, for there are fewer than {FEWEST_SUBJECTS} subjects."
    if has(board, ceiling) and all(one.closed is None for one in standings):
        yield f"No share of a gap is told: what {ceiling} gains over {against} may be chance."


def arms_of(boards: Sequence[Board]) -> list[str]:
    return list(dict.fromkeys(one.arm for board in boards for one in board.standings[first_metric(board)]))


def _bounds(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)
