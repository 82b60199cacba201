"""The outcome of a sweep: a summary and a page in its folder, kept up to date, and the error that the program ends
with."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from imprint.errors import UserError
from imprint.files import write_text
from imprint.launching.leading import LeadingPoint, LeadingPoints
from imprint.launching.plan import PlannedPoint
from imprint.launching.status import ENDED, Statuses, first_line, stopped
from imprint.reporting.units import duration, score
from imprint.sweeps import Sweep
from imprint.tables.markdown import code, code_block, markdown, plain
from imprint.tables.table import Cell, Column, Row, Table

PAGE_SHARE = 0.1  # of the time may be spent on the page while points are at work

log = logging.getLogger(__name__)


class SummaryWriter:
    """Writes the summary at every call, the page as often as is cheap. A page that cannot be written stops nothing."""

    def __init__(self, sweep: Sweep, points: Sequence[PlannedPoint]) -> None:
        self._sweep = sweep
        self._points = points
        self._leading = LeadingPoints(points)
        self._not_before = 0.0

    def update(self, statuses: Statuses) -> None:
        write_summary(self._sweep, self._points, statuses, self._leading.among(statuses))
        began = time.monotonic()
        if began >= self._not_before:
            self._write_page()
            self._not_before = time.monotonic() + (time.monotonic() - began) / PAGE_SHARE

    def close(self, statuses: Statuses) -> None:
        """The final state: no point is at work any more."""
        final = {name: stopped(status) for name, status in statuses.items()}
        write_summary(self._sweep, self._points, final, self._leading.among(final))
        self._write_page(live=False)

    def _write_page(self, *, live: bool | None = None) -> None:
        from imprint.reporting.page import write_sweep_report  # with its figures: nothing for a single run

        try:
            write_sweep_report(self._sweep, live=live)
        except Exception as error:
            log.warning("The page %s was not written (%s).", self._sweep.report, error)
            log.debug("Why:", exc_info=True)


def write_summary(sweep: Sweep, points: Sequence[PlannedPoint], statuses: Statuses, ahead: LeadingPoint | None) -> None:
    """Writes summary.md."""
    counts = Counter(statuses[point.name].state for point in points)
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    lines = [f"# {plain(sweep.name)}", ""]
    if sweep.question:
        lines += [plain(sweep.question), ""]
    lines += [code_block("\n".join(sweep.commands)), "", f"{len(points)} points: {states}.", ""]
    if ahead:
        lines += [plain(str(ahead)), ""]
    lines += [markdown(_table(points, statuses)), *_reasons(points, statuses)]
    write_text(sweep.summary, "\n".join(lines) + "\n")


def failure_reasons(points: Sequence[PlannedPoint], statuses: Statuses, errors: Mapping[str, str]) -> dict[str, str]:
    """Why points are not done, by name: what is noted in the point's folder, else what the launcher brought back."""
    bad = [point.name for point in points if statuses[point.name].state != "done"]
    return {name: statuses[name].reason or errors.get(name, "") for name in bad}


def failure_of(points: Sequence[PlannedPoint], statuses: Statuses, errors: Mapping[str, str]) -> UserError | None:
    """What the program ends with, if a point did not end well."""
    reasons = failure_reasons(points, statuses, errors)
    if not reasons:
        return None
    title = f"{len(reasons)} of {len(points)} points did not finish; the same command tries them again:"
    lines = [f"  - {_failure(point, reasons[point.name])}" for point in points if point.name in reasons]
    return UserError("\n".join([title, *lines]))


def _failure(point: PlannedPoint, reason: str) -> str:
    where = point.run.error if point.run.error.is_file() else point.run.scoring_error
    more = f" ({where})" if where.is_file() else ""
    return f"{point.label}: {first_line(reason)}{more}"


def _table(points: Sequence[PlannedPoint], statuses: Statuses) -> Table:
    metrics = list(dict.fromkeys(name for point in points for name in statuses[point.name].means))
    columns = [Column("point", kind="code"), Column("state", kind="text"), Column("training", duration)]
    columns += [*(Column(name, score) for name in metrics), Column("run", kind="text")]
    rows = []
    for point in points:
        status = statuses[point.name]
        numbers = [Cell(status.means.get(name)) for name in metrics]
        rows.append(Row([Cell(point.label), Cell(status.state), Cell(status.seconds), *numbers, Cell(point.name)]))
    return Table(columns=columns, rows=rows)


def _reasons(points: Sequence[PlannedPoint], statuses: Statuses) -> Iterator[str]:
    for point in points:
        status = statuses[point.name]
        if status.state in ENDED and status.reason:
            yield from ["", f"{code(point.label)} failed:", "", code_block(status.reason.strip())]
