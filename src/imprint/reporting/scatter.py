"""Any number of the runs against any other: what the page's script draws, with the axes that a reader chooses."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import tradeoffs
from imprint.reporting.scoreboard.costs import COSTS
from imprint.reporting.scoreboard.figures import REFERENCE_MARKS, sweeps
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.style import outline
from imprint.reporting.units import bounds, quantity, score
from imprint.tables.table import Line, clean

UNITS = {"seconds": "time", "peak_memory_bytes": "bytes", "result_bytes": "bytes"}  # of COSTS; others are counts
UNSCORED = "M-4.5 0L0 -4.5L4.5 0L0 4.5Z"  # the mark of a run without scores


class Axis(NamedTuple):
    key: str
    title: str
    better: str  # higher, lower or neither
    unit: str  # score, time, bytes or count: how ticks are written


class Number(NamedTuple):
    value: float
    low: float
    high: float
    text: str


class Mark(NamedTuple):
    """A contestant, or a run without scores; a floor or a ceiling belongs to no run."""

    name: str
    runs: Sequence[str]
    colour: str  # empty: that of text
    path: str
    numbers: Mapping[str, Number]  # by axis

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "name": clean(self.name), "numbers": {k: list(v) for k, v in self.numbers.items()}}


def scatter(
    records: Sequence[RunRecord], names: Mapping[str, str], scores: RunScores, lines: Mapping[str, Line]
) -> dict[str, Any] | None:
    """For JSON: axes, marks, the order along a setting, and the axes to begin with. None where no two marks have two
    numbers in common."""
    board = scores.board
    axes = [
        *(Axis(c.key, c.heading, c.facts.better, "score") for c in (board.columns if board else ())),
        *(Axis(kind.key, kind.heading, "lower", UNITS.get(kind.key, "count")) for kind in COSTS),
        Axis("steps", "steps", "neither", "count"),
        Axis("loss", "loss", "neither", "score"),
    ]
    marks = list(_marks(records, names, scores, lines))
    own = [mark for mark in marks if mark.runs]
    known = {axis.key: [mark.name for mark in own if axis.key in mark.numbers] for axis in axes}
    axes = [axis for axis in axes if len(known[axis.key]) > 1 and _varies(own, axis.key)]
    if len(axes) < 2:
        return None
    keys = [axis.key for axis in axes]
    fidelity = [(across.key, up.key) for across, up in tradeoffs(board.columns)] if board else []
    start = next((pair for pair in fidelity if set(pair) <= set(keys)), (keys[1], keys[0]))
    places = {mark.name: number for number, mark in enumerate(marks)}
    ordered = sweeps(board.contestants) if board else ()
    return {
        "axes": [axis._asdict() for axis in axes],
        "marks": [mark.as_dict() for mark in marks],
        "paths": [[places[entry.label] for entry in path] for path in ordered],
        "start": list(start),
    }


def _marks(
    records: Sequence[RunRecord], names: Mapping[str, str], scores: RunScores, lines: Mapping[str, Line]
) -> Iterator[Mark]:
    by_name = {record.name: record for record in records}
    scored: set[str] = set()
    for entry in scores.board.entries if scores.board else ():
        if entry.role != "contestant":
            yield Mark(entry.label, [], "", outline(REFERENCE_MARKS[entry.row]), dict(_scored(scores, entry)))
            continue
        own = [by_name[run] for run in dict.fromkeys(sheet.run for sheet in entry.sheets) if run in by_name]
        scored |= {record.name for record in own}
        if own:
            line = lines[own[0].name]
            numbers = {**dict(_scored(scores, entry)), **dict(_measured(own))}
            yield Mark(entry.label, [record.name for record in own], line.colour, line.mark or UNSCORED, numbers)
    for record in records:
        if record.name not in scored and (numbers := dict(_measured([record]))):
            yield Mark(names[record.name], [record.name], lines[record.name].colour, UNSCORED, numbers)


def _scored(scores: RunScores, entry: Entry) -> Iterator[tuple[str, Number]]:
    board = scores.board
    for column in board.columns if board else ():
        found = board.score(entry.label, column.key) if board else None
        if found and math.isfinite(found.mean):
            low, high = (found.interval.low, found.interval.high) if found.interval else (found.mean, found.mean)
            yield column.key, Number(found.mean, low, high, f"{score(found.mean)} {bounds(found.interval)}".strip())


def _measured(records: Sequence[RunRecord]) -> Iterator[tuple[str, Number]]:
    """Means over the runs of a contestant."""
    formats = {kind.key: kind.format for kind in COSTS} | {"steps": quantity, "loss": "{:.4f}".format}
    for key, told in formats.items():
        found = [value for record in records if (value := _value(record, key)) is not None and math.isfinite(value)]
        if found:
            mean = fmean(found)
            yield key, Number(mean, mean, mean, told(mean))


def _value(record: RunRecord, key: str) -> float | None:
    return {"steps": record.steps, "loss": record.loss}.get(key, record.cost.get(key))


def _varies(marks: Sequence[Mark], key: str) -> bool:
    return len({mark.numbers[key].value for mark in marks if key in mark.numbers}) > 1
