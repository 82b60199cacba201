"""What several tables share."""

from collections.abc import Sequence

from imprint.evaluation.statistics.intervals import Interval
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.table import Cell, Line
from imprint.reporting.units import score


def entry_line(entry: Entry, before: Entry | None, cells: Sequence[Cell]) -> Line:
    apart = before is not None and before.role != entry.role
    return Line(entry.label, cells, apart, aside=entry.role != "contestant")


def bounds(interval: Interval | None) -> str:
    return "" if interval is None else f"[{score(interval.low)}, {score(interval.high)}]"
