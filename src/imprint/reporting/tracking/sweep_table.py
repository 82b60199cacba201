"""The points of a sweep as a table: settings that differ, scores with intervals, what they cost."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from imprint.reporting.record import RunRecord, differing
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.costs import Cost
from imprint.reporting.side_by_side import labels


class PointTable(NamedTuple):
    """Each column holds numbers alone, or words alone; None where it is not known."""

    columns: list[str]
    rows: list[list[Any]]


def point_table(records: Sequence[RunRecord], scores: RunScores, axes: Sequence[str]) -> PointTable:
    """The axes come first, then what else differs."""
    keys = [*axes, *(key for key in differing(records) if key not in axes)]
    names = labels(records, axes)
    scored = [name for c in scores.columns for name in (c.heading, f"{c.title}, low", f"{c.title}, high")]
    settings = [_axis([record.settings.get(key) for record in records]) for key in keys]
    rows = [
        [
            *(names[record.name], record.name, record.status),
            *(values[place] for values in settings),
            *(number for column in scores.columns for number in _with_interval(record, scores, column)),
            *(record.steps, _finite(record.loss)),
            *(_finite(value) for value in record.cost),
        ]
        for place, record in enumerate(records)
    ]
    return PointTable(["point", "run", "status", *keys, *scored, "steps", "loss", *Cost._fields], rows)


def mean_of(record: RunRecord, scores: RunScores, column: Column) -> float | None:
    """Over the run's subjects."""
    own = [sheet for sheet in scores.sheets[record.folder] if column.of(sheet)]
    means = [sheet.rows["tuned"][column.name].mean for sheet in own if column.name in sheet.rows.get("tuned", {})]
    return _finite(fmean(means)) if means else None


def _with_interval(record: RunRecord, scores: RunScores, column: Column) -> tuple[float | None, ...]:
    interval = scores.interval(record, column)
    around = (interval.low, interval.high) if interval else (None, None)
    return mean_of(record, scores, column), *around


def _axis(values: Sequence[str | None]) -> list[float | None] | list[str | None]:
    """A setting that is a number wherever it is set can be drawn as an axis."""
    try:
        return [None if value in (None, "None") else float(str(value)) for value in values]
    except ValueError:
        return list(values)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
