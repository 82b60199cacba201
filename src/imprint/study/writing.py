"""What a study leaves: study.json for programs, study.md and study.html to read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imprint.evaluation.statistics.crossing import FEWEST_SUBJECTS
from imprint.evaluation.statistics.intervals import Interval
from imprint.files import write_json, write_text
from imprint.reporting.units import duration
from imprint.study.metrics import METRICS
from imprint.study.scores import Board, Standing
from imprint.tables.html import page_environment
from imprint.tables.markdown import markdown, plain
from imprint.tables.table import Cell, Column, Row, Table

VERSION = 1
JSON, MARKDOWN, PAGE = "study.json", "study.md", "study.html"


def number(value: float) -> str:
    return f"{value:.3f}"


def signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}"  # no minus before a zero


def counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def write(
    folder: Path, boards: Sequence[Board], *, about: Mapping[str, Any], against: str, ceiling: str
) -> list[Table]:
    """Returns the tables that are for the terminal, too."""
    shown = [_table(board, against, ceiling) for board in boards]
    further = [_further(board, metric, against, ceiling) for board in boards for metric in board.metrics[1:]]
    further += [_by_shift(board) for board in boards if board.shifts]
    further += [_by_subject(board) for board in boards]
    write_json(folder / JSON, {"version": VERSION, **about, "boards": [_as_json(board) for board in boards]})
    facts = [f"{key}: {value}" for key, value in about["facts"].items()]
    lines = ["# Does it help?", "", *(f"- {plain(fact)}" for fact in [*facts, *about["remarks"]]), ""]
    write_text(folder / MARKDOWN, "\n".join([*lines, *map(markdown, [*shown, *further])]))
    template = page_environment("imprint.reporting").get_template("study.html.j2")
    page = template.render(title=folder.name, facts=facts, remarks=about["remarks"], tables=[*shown, *further])
    write_text(folder / PAGE, page)
    return shown


def _table(board: Board, against: str, ceiling: str) -> Table:
    """What arms come to: what the task is about as it is tested, and the means of the other metrics."""
    others = board.metrics[1:]
    columns = [*_columns(board, board.first, against, ceiling)]
    columns += [Column(METRICS[metric].title, number, about=METRICS[metric].about) for metric in others]
    columns.append(Column("Time", duration, about="of learning and testing, in all cells"))
    rows = []
    for place, row in enumerate(_rows(board, board.first, against, ceiling)):
        arm = board.standings[board.first][place].arm
        means = [Cell(board.standings[metric][place].mean) for metric in others]
        rows.append(row._replace(cells=[*row.cells, *means, Cell(board.seconds[arm])]))
    return Table(
        columns=columns,
        rows=rows,
        title=_title(board),
        key=f"{board.learner}-{board.shots}",
        notes=list(_notes(board, against, ceiling)),
    )


def _further(board: Board, metric: str, against: str, ceiling: str) -> Table:
    """The same of another metric."""
    return Table(
        columns=_columns(board, metric, against, ceiling),
        rows=_rows(board, metric, against, ceiling),
        title=f"{METRICS[metric].title}: {_title(board)}",
        key=f"{metric}-{board.learner}-{board.shots}",
        notes=[METRICS[metric].about],
    )


def _columns(board: Board, metric: str, against: str, ceiling: str) -> list[Column]:
    title, better, about = METRICS[metric]
    columns = [
        Column("Arm", kind="text"),
        Column(title, number, about=about, best_first=better == "higher"),
        Column(f"less {against}", signed, about=f"the difference from {against}, subject by subject"),
        Column("p (Holm)", number, about="sign-flip test over subjects, corrected for all arms of the table"),
    ]
    closed = Column("gap closed", number, about=f"the share of what {ceiling} gains over {against}")
    return [*columns, closed] if _has(board, ceiling) else columns


def _rows(board: Board, metric: str, against: str, ceiling: str) -> list[Row]:
    standings = board.standings[metric]
    least_first = sorted(one.mean for one in standings if one.arm != ceiling)
    best = least_first[-1 if METRICS[metric].better == "higher" else 0] if least_first else None
    rows = []
    for one in standings:
        is_best = one.mean == best and one.arm != ceiling
        cells = [Cell(one.arm), Cell(one.mean, _bounds(one.interval), is_best=is_best)]
        if (difference := one.difference) is None:
            cells += [Cell(), Cell()]
        else:
            cells += [Cell(difference.mean, _bounds(difference.interval)), Cell(difference.p_holm)]
        if _has(board, ceiling):
            cells.append(Cell(one.closed, _bounds(one.closed_interval)))
        rows.append(Row(cells, is_reference=one.arm == ceiling))
    return rows


def _has(board: Board, arm: str) -> bool:
    return any(one.arm == arm for one in board.standings[board.first])


def _title(board: Board) -> str:
    return f"{board.learner}, {counted(board.shots, 'shot')}"


def _notes(board: Board, against: str, ceiling: str) -> Iterator[str]:
    standings = board.standings[board.first]
    first = standings[0]
    seeds = min(len(numbers) for numbers in first.by_subject.values())
    units = f"{board.unit}{'e' * board.unit.endswith('s')}s"
    count = len(first.by_subject)
    of = units if count != 1 else board.unit
    yield f"{count} {of}; {counted(seeds, 'seed')}, averaged before {units} are compared."
    spreads = {one.arm: one.spread for one in standings if one.spread is not None}
    if spreads:
        listed = ", ".join(f"{arm} {spread:.3f}" for arm, spread in spreads.items())
        yield f"Standard deviation of the mean {METRICS[board.first].title} over seeds: {listed}."
    if first.interval is None:
        yield "No intervals: there are too few {units} to speak of others."
    else:
        yield f"Intervals: {first.interval.confidence:.0%}, {first.interval.covers}."
    differences = [one.difference for one in standings if one.difference is not None]
    if differences and differences[0].interval is None:
        yield f"Differences from {against} have no intervals, for there are fewer than {FEWEST_SUBJECTS} {units}."
    if _has(board, ceiling) and all(one.closed is None for one in standings):
        yield f"No share of a gap is told: what {ceiling} gains over {against} may be chance."


def _by_shift(board: Board) -> Table:
    """The first metric of each kind of photos to test on, in arms' order."""
    kinds = {kind: {one.arm: one for one in of[board.first]} for kind, of in board.shifts.items()}
    rows = []
    for one in board.standings[board.first]:
        own = [of[one.arm] for of in kinds.values()]
        rows.append(Row([Cell(one.arm), *(Cell(each.mean, _bounds(each.interval)) for each in own)]))
    return Table(
        columns=[Column("Arm", kind="text"), *(Column(kind, number) for kind in kinds)],
        rows=rows,
        title=f"{METRICS[board.first].title} by shift: {_title(board)}",
        key=f"shifts-{board.learner}-{board.shots}",
        notes=["A shift is what photos to test on have that training has not, as their rows say."],
    )


def _by_subject(board: Board) -> Table:
    standings = board.standings[board.first]
    rows = [
        Row(
            [
                Cell(subject),
                *(Cell(sum(one.by_subject[subject]) / len(one.by_subject[subject])) for one in standings),
            ]
        )
        for subject in standings[0].by_subject
    ]
    return Table(
        columns=[Column(board.unit.capitalize(), kind="text"), *(Column(one.arm, number) for one in standings)],
        rows=rows,
        title=f"{METRICS[board.first].title} by {board.unit}: {_title(board)}",
        key=f"subjects-{board.learner}-{board.shots}",
    )


def _bounds(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)


def _as_json(board: Board) -> dict[str, Any]:
    return {
        "learner": board.learner,
        "shots": board.shots,
        "seconds": dict(board.seconds),
        "unit": board.unit,
        "metrics": list(board.metrics),
        "arms": _by_arm(board.standings),
        "shifts": {kind: _by_arm(standings) for kind, standings in board.shifts.items()},
    }


def _by_arm(standings: Mapping[str, Sequence[Standing]]) -> dict[str, Any]:
    arms = [one.arm for one in next(iter(standings.values()))]
    return {arm: {metric: _standing(of[place]) for metric, of in standings.items()} for place, arm in enumerate(arms)}


def _standing(standing: Standing) -> dict[str, Any]:
    return {key: value for key, value in asdict(standing).items() if key not in ("arm", "metric")}
