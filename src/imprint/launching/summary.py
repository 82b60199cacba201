"""What came of a sweep: in its folder, kept up to date while it runs, and for the program that launched it."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from imprint.errors import UserError
from imprint.files import write_text
from imprint.launching.plan import Planned
from imprint.launching.status import ENDED, Status, best_of, first_line, stopped
from imprint.reporting.units import duration, score
from imprint.sweeps import Sweep
from imprint.tables.markdown import code, code_block, markdown, plain
from imprint.tables.table import Cell, Column, Row, Table

SHARE = 0.1  # of the time that may go into the page while points are at work

log = logging.getLogger(__name__)

Seen = Mapping[str, Status]


class Keeper:
    """Writes the summary at every call, the page as often as is cheap. A page that cannot be written stops nothing."""

    def __init__(self, sweep: Sweep, prospects: Sequence[Planned]) -> None:
        self._sweep = sweep
        self._prospects = prospects
        self._not_before = 0.0

    def keep(self, seen: Seen) -> None:
        sum_up(self._sweep, self._prospects, seen)
        began = time.monotonic()
        if began >= self._not_before:
            self._draw()
            self._not_before = time.monotonic() + (time.monotonic() - began) / SHARE

    def end(self, seen: Seen) -> None:
        """As it stays: nothing is at work any more."""
        sum_up(self._sweep, self._prospects, {name: stopped(status) for name, status in seen.items()})
        self._draw(live=False)

    def _draw(self, *, live: bool | None = None) -> None:
        from imprint.reporting.page import write_sweep_report  # with its figures: nothing for a single run

        try:
            write_sweep_report(self._sweep, live=live)
        except Exception as error:
            log.warning("The page %s was not written (%s).", self._sweep.report, error)
            log.debug("Why:", exc_info=True)


def sum_up(sweep: Sweep, prospects: Sequence[Planned], seen: Seen) -> None:
    """Writes summary.md."""
    counts = Counter(seen[prospect.name].state for prospect in prospects)
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    lines = [f"# {plain(sweep.name)}", ""]
    if sweep.question:
        lines += [plain(sweep.question), ""]
    lines += [code_block("\n".join(sweep.commands)), "", f"{len(prospects)} points: {states}.", ""]
    if best := best_of(prospects, seen):
        lines += [f"Best by {plain(str(best))}", ""]
    lines += [markdown(_table(prospects, seen)), *_reasons(prospects, seen)]
    write_text(sweep.summary, "\n".join(lines) + "\n")


def reasons_of(points: Sequence[Planned], seen: Seen, heard: Mapping[str, str]) -> dict[str, str]:
    """Why points are not done, by name. `heard` is what the launcher brought back; what lies in a point's folder comes
    first."""
    bad = [point.name for point in points if seen[point.name].state != "done"]
    return {name: seen[name].reason or heard.get(name, "") for name in bad}


def failures(points: Sequence[Planned], seen: Seen, heard: Mapping[str, str]) -> UserError | None:
    """What the program ends with, if a point did not end well."""
    reasons = reasons_of(points, seen, heard)
    if not reasons:
        return None
    title = f"{len(reasons)} of {len(points)} points did not finish; the same command tries them again:"
    told = [f"  - {_failure(point, reasons[point.name])}" for point in points if point.name in reasons]
    return UserError("\n".join([title, *told]))


def _failure(point: Planned, reason: str) -> str:
    where = point.run.error if point.run.error.is_file() else point.run.scoring_error
    more = f" ({where})" if where.is_file() else ""
    return f"{point.told}: {first_line(reason)}{more}"


def _table(prospects: Sequence[Planned], seen: Seen) -> Table:
    metrics = list(dict.fromkeys(name for prospect in prospects for name in seen[prospect.name].means))
    columns = [Column("point", kind="code"), Column("state", kind="text"), Column("training", duration)]
    columns += [*(Column(name, score) for name in metrics), Column("run", kind="text")]
    rows = []
    for prospect in prospects:
        status = seen[prospect.name]
        numbers = [Cell(status.means.get(name)) for name in metrics]
        rows.append(Row([Cell(prospect.told), Cell(status.state), Cell(status.seconds), *numbers, Cell(prospect.name)]))
    return Table(columns=columns, rows=rows)


def _reasons(prospects: Sequence[Planned], seen: Seen) -> Iterator[str]:
    for prospect in prospects:
        standing = seen[prospect.name]
        if standing.state in ENDED and standing.reason:
            yield from ["", f"{code(prospect.told)} failed:", "", code_block(standing.reason.strip())]
