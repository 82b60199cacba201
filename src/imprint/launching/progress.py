"""What is seen of a sweep while it runs: a picture that moves in a terminal, a line for each point in a file."""

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from imprint.launching.plan import Planned
from imprint.launching.status import ENDED, Eta, Status, Statuses, best_of, first_line
from imprint.reporting.units import duration

LOOK = 1.0  # seconds between looks
SHOWN = 6  # points at work that are shown
BAR = 30  # columns

log = logging.getLogger(__name__)

Seen = Mapping[str, Status]


class Show(Protocol):
    def see(self, seen: Seen, ended: Sequence[Planned]) -> None:
        """`ended` are those that ended since the last look."""

    def close(self) -> None: ...


class Lines:
    """One for each point that ended."""

    def __init__(self, points: Sequence[Planned]) -> None:
        self._points = points
        self._eta = Eta(points)

    def see(self, seen: Seen, ended: Sequence[Planned]) -> None:
        over = sum(status.state in ENDED for status in seen.values())
        for place, point in enumerate(ended, over - len(ended) + 1):
            status = seen[point.name]
            if status.state == "failed":
                log.warning("[%d/%d] %s failed: %s", place, len(seen), point.told, first_line(status.reason))
            else:
                means = "  ".join(f"{name} {value:.3f}" for name, value in status.means.items())
                took = f"done in {duration(status.seconds)}. {means}".rstrip()
                log.info("[%d/%d] %s: %s", place, len(seen), point.told, took)
        if ended and over < len(seen):
            best = best_of(self._points, seen)
            ahead = f" Best so far: {best}." if best else ""
            log.info("%d left%s.%s", len(seen) - over, self._eta.left(seen), ahead)

    def close(self) -> None:
        """Nothing is left on the screen."""


class Screen:
    """A bar for all, a line for each point at work, and the best so far."""

    def __init__(self, points: Sequence[Planned], console: Console | None = None) -> None:
        self._points = points
        self._eta = Eta(points)
        self._live = Live(console=console or Console(stderr=True), refresh_per_second=4)
        self._live.start()

    def see(self, seen: Seen, ended: Sequence[Planned]) -> None:
        for point in ended:
            if seen[point.name].state == "failed":
                reason = first_line(seen[point.name].reason)
                self._live.console.print(Text(f"failed: {point.told}: {reason}", style="red"))
        self._live.update(self._drawn(seen))

    def close(self) -> None:
        self._live.stop()

    def _drawn(self, seen: Seen) -> Group:
        counts = Counter(status.state for status in seen.values())
        share = sum(status.share if status.state not in ENDED else 1.0 for status in seen.values()) / len(seen)
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        told = f"{counts['done']} of {len(seen)} done{failed}"
        rest = f"{eta} left" if (eta := self._eta.left(seen)) else ""
        head = Table.grid(padding=(0, 1))
        head.add_row(ProgressBar(1.0, share, width=BAR), f"{told}{rest}")
        at_work = [point for point in self._points if seen[point.name].state in ("training", "scoring")]
        rows = Table.grid(padding=(0, 1))
        for point in at_work[:SHOWN]:
            status = seen[point.name]
            steps = point.plan.parts.hparams.steps
            what = f"{round(status.share * steps)}/{steps}" if status.state == "training" else "scoring"
            rows.add_row(f"  {what}", Text(point.told, overflow="ellipsis", no_wrap=True))
        if len(at_work) > SHOWN:
            rows.add_row("", f"and {len(at_work) - SHOWN} more")
        best = best_of(self._points, seen)
        return Group(head, rows, Text(f"Best so far: {best}" if best else "", style="green"))


def choose_show(points: Sequence[Planned]) -> Show:
    return Screen(points) if sys.stderr.isatty() else Lines(points)


class Observer:
    """Looks at the points' folders from a thread of its own, until it is closed.

    `seen` is what the last look saw, the very last one after the end. `on_end` is called when points have ended. What
    was before the moment `since` counts only where it is finished.
    """

    def __init__(
        self, points: Sequence[Planned], show: Show, on_end: Callable[[Seen], object], *, since: float
    ) -> None:
        self._points = points
        self._statuses = Statuses(points, since=since)
        self._show = show
        self._on_end = on_end
        self._told = {point.name for point in points if point.to_do == "done"}
        self.seen: dict[str, Status] = self._statuses.now()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="observer", daemon=True)

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closing.set()
        self._thread.join()
        try:
            self._look()
        finally:
            self._show.close()

    def _look(self) -> None:
        seen = self._statuses.now()
        ended = [point for point in self._points if seen[point.name].state in ENDED and point.name not in self._told]
        self._told |= {point.name for point in ended}
        self._show.see(seen, ended)
        self.seen = seen
        if ended:
            self._on_end(seen)

    def _work(self) -> None:
        while not self._closing.wait(LOOK):
            try:
                self._look()
            except Exception:  # a folder that is being written; the next look may succeed
                log.debug("The sweep could not be looked at.", exc_info=True)
