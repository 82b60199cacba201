"""The progress of a sweep while it runs: a live display in a terminal, a line for each point in a log file."""

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from imprint.launching.leading import LeadingPoints
from imprint.launching.plan import PlannedPoint
from imprint.launching.status import ENDED, Eta, Statuses, StatusReader, first_line
from imprint.reporting.units import duration
from imprint.tables.terminal import plain

INTERVAL = 1.0  # seconds between two readings
MAX_SHOWN = 6  # of the points at work
BAR = 30  # columns

log = logging.getLogger(__name__)


class Share(NamedTuple):
    """Where the points stand among those of a search, which come a few at a time."""

    before: int  # that have ended already
    total: int

    @classmethod
    def all_of(cls, points: Sequence[PlannedPoint]) -> "Share":
        return cls(0, len(points))

    def left(self, over: int) -> int:
        return self.total - self.before - over


class Display(Protocol):
    def update(self, statuses: Statuses, ended: Sequence[PlannedPoint]) -> None:
        """`ended` are those that ended since the last update."""

    def close(self) -> None: ...


class LogLines:
    """A line for each point that ended."""

    def __init__(self, points: Sequence[PlannedPoint], share: Share) -> None:
        self._share = share
        self._eta = Eta(points) if share == Share.all_of(points) else None
        self._leading = LeadingPoints(points)

    def update(self, statuses: Statuses, ended: Sequence[PlannedPoint]) -> None:
        over = sum(status.state in ENDED for status in statuses.values())
        for place, point in enumerate(ended, self._share.before + over - len(ended) + 1):
            status = statuses[point.name]
            if status.state == "failed":
                log.warning("[%d/%d] %s failed: %s", place, self._share.total, point.label, first_line(status.reason))
            else:
                means = "  ".join(f"{name} {value:.3f}" for name, value in status.means.items())
                took = f"done in {duration(status.seconds)}. {means}".rstrip()
                log.info("[%d/%d] %s: %s", place, self._share.total, point.label, took)
        if ended and self._share.left(over):
            leading = self._leading.among(statuses)
            ahead = f" So far: {leading}." if leading else ""
            eta = self._eta.left(statuses) if self._eta else ""
            log.info("%d left%s.%s", self._share.left(over), eta, ahead)

    def close(self) -> None:
        """Nothing is left on the screen."""


class LiveDisplay:
    """A bar for all, a line for each point at work, and which one is ahead."""

    def __init__(self, points: Sequence[PlannedPoint], share: Share, console: Console | None = None) -> None:
        self._points = points
        self._share = share
        self._eta = Eta(points) if share == Share.all_of(points) else None
        self._leading = LeadingPoints(points)
        self._live = Live(console=console or Console(stderr=True), refresh_per_second=4)
        before = (sys.stdout, sys.stderr)
        self._live.start()
        self._moved = _moved_log(before, (sys.stdout, sys.stderr))

    def update(self, statuses: Statuses, ended: Sequence[PlannedPoint]) -> None:
        for point in ended:
            if statuses[point.name].state == "failed":
                reason = first_line(statuses[point.name].reason)
                self._live.console.print(plain(f"failed: {point.label}: {reason}", "red"))
        self._live.update(self._rendered(statuses))

    def close(self) -> None:
        self._live.stop()
        for handler, stream in self._moved:
            handler.setStream(stream)

    def _rendered(self, statuses: Statuses) -> Group:
        counts = Counter(status.state for status in statuses.values())
        over = sum(status.share if status.state not in ENDED else 1.0 for status in statuses.values())
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        text = f"{self._share.before + counts['done']} of {self._share.total} done{failed}"
        rest = f"{eta} left" if self._eta and (eta := self._eta.left(statuses)) else ""
        head = Table.grid(padding=(0, 1))
        head.add_row(ProgressBar(self._share.total, self._share.before + over, width=BAR), f"{text}{rest}")
        at_work = [point for point in self._points if statuses[point.name].state in ("training", "scoring")]
        rows = Table.grid(padding=(0, 1))
        for point in at_work[:MAX_SHOWN]:
            status = statuses[point.name]
            steps = point.plan.parts.hparams.steps
            what = f"{round(status.share * steps)}/{steps}" if status.state == "training" else "scoring"
            rows.add_row(f"  {what}", Text(point.label, overflow="ellipsis", no_wrap=True))
        if len(at_work) > MAX_SHOWN:
            rows.add_row("", f"and {len(at_work) - MAX_SHOWN} more")
        leading = self._leading.among(statuses)
        is_best = leading is not None and leading.leader.is_best
        return Group(head, rows, Text(f"So far: {leading}" if leading else "", style="green" if is_best else ""))


def _moved_log(
    streams: Sequence[TextIO], shown: Sequence[TextIO]
) -> list[tuple["logging.StreamHandler[TextIO]", TextIO]]:
    """Has the log written where a live display knows of it. It takes the place of `sys.stderr` itself, but a handler
    has kept the stream, and the display would draw over its lines. Returns the handlers, with what they wrote to."""
    instead = {id(before): now for before, now in zip(streams, shown, strict=True) if now is not before}
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, logging.StreamHandler)]
    moved = [(handler, handler.stream) for handler in handlers if id(handler.stream) in instead]
    for handler, stream in moved:
        handler.setStream(instead[id(stream)])
    return moved


def choose_display(points: Sequence[PlannedPoint], share: Share) -> Display:
    return LiveDisplay(points, share) if sys.stderr.isatty() else LogLines(points, share)


class Observer:
    """Reads the status of points from their folders regularly, in a thread of its own, until it is closed.

    `statuses` are the latest ones, in the end those after it was closed. `on_end` is called when points have ended. Of
    what happened before the moment `since`, only finished runs count.
    """

    def __init__(
        self, points: Sequence[PlannedPoint], display: Display, on_end: Callable[[Statuses], object], *, since: float
    ) -> None:
        self._points = points
        self._reader = StatusReader(points, since=since)
        self._display = display
        self._on_end = on_end
        self._reported = {point.name for point in points if point.to_do == "done"}
        self.statuses: Statuses = self._reader.read()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="observer", daemon=True)

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closing.set()
        self._thread.join()
        try:
            self._read()
        finally:
            self._display.close()

    def _read(self) -> None:
        statuses = self._reader.read()
        ended = [
            point for point in self._points if statuses[point.name].state in ENDED and point.name not in self._reported
        ]
        self._reported |= {point.name for point in ended}
        self._display.update(statuses, ended)
        self.statuses = statuses
        if ended:
            self._on_end(statuses)

    def _work(self) -> None:
        while not self._closing.wait(INTERVAL):
            try:
                self._read()
            except Exception:  # a folder that is being written; the next reading may succeed
                log.debug("The points' folders could not be read.", exc_info=True)
