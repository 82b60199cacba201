"""What is seen of a sweep while it runs: a picture that moves in a terminal, a line for each point in a file."""

import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from imprint.launching.best import best_of
from imprint.launching.pace import Pace
from imprint.launching.prospects import Prospect
from imprint.launching.standing import ENDED, Standing, first_line
from imprint.reporting.units import duration

SHOWN = 6  # points at work that are shown
BAR = 30  # columns

log = logging.getLogger(__name__)

Seen = Mapping[str, Standing]


class Show(Protocol):
    def see(self, seen: Seen, ended: Sequence[Prospect]) -> None:
        """`ended` are those that ended since the last look."""

    def close(self) -> None: ...


class Lines:
    """One for each point that ended."""

    def __init__(self, prospects: Sequence[Prospect]) -> None:
        self._prospects = prospects
        self._pace = Pace(prospects)

    def see(self, seen: Seen, ended: Sequence[Prospect]) -> None:
        over = sum(standing.state in ENDED for standing in seen.values())
        for place, prospect in enumerate(ended, over - len(ended) + 1):
            standing = seen[prospect.name]
            if standing.state == "failed":
                log.warning("[%d/%d] %s failed: %s", place, len(seen), prospect.told, first_line(standing.reason))
            else:
                means = "  ".join(f"{name} {value:.3f}" for name, value in standing.means.items())
                took = f"done in {duration(standing.seconds)}. {means}".rstrip()
                log.info("[%d/%d] %s: %s", place, len(seen), prospect.told, took)
        if ended and over < len(seen):
            best = best_of(self._prospects, seen)
            ahead = f" Best so far: {best}." if best else ""
            log.info("%d left%s.%s", len(seen) - over, self._pace.left(seen), ahead)

    def close(self) -> None:
        """Nothing is left on the screen."""


class Screen:
    """A bar for all, a line for each point at work, and the best so far."""

    def __init__(self, prospects: Sequence[Prospect], console: Console | None = None) -> None:
        self._prospects = prospects
        self._pace = Pace(prospects)
        self._live = Live(console=console or Console(stderr=True), refresh_per_second=4)
        self._live.start()

    def see(self, seen: Seen, ended: Sequence[Prospect]) -> None:
        for prospect in ended:
            if seen[prospect.name].state == "failed":
                reason = first_line(seen[prospect.name].reason)
                self._live.console.print(Text(f"failed: {prospect.told}: {reason}", style="red"))
        self._live.update(self._drawn(seen))

    def close(self) -> None:
        self._live.stop()

    def _drawn(self, seen: Seen) -> Group:
        counts = Counter(standing.state for standing in seen.values())
        share = sum(standing.share if standing.state not in ENDED else 1.0 for standing in seen.values()) / len(seen)
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        told = f"{counts['done']} of {len(seen)} done{failed}"
        rest = f"{pace} left" if (pace := self._pace.left(seen)) else ""
        head = Table.grid(padding=(0, 1))
        head.add_row(ProgressBar(1.0, share, width=BAR), f"{told}{rest}")
        at_work = [point for point in self._prospects if seen[point.name].state in ("training", "scoring")]
        rows = Table.grid(padding=(0, 1))
        for prospect in at_work[:SHOWN]:
            standing = seen[prospect.name]
            steps = prospect.plan.parts.hparams.steps
            what = f"{round(standing.share * steps)}/{steps}" if standing.state == "training" else "scoring"
            rows.add_row(f"  {what}", Text(prospect.told, overflow="ellipsis", no_wrap=True))
        if len(at_work) > SHOWN:
            rows.add_row("", f"and {len(at_work) - SHOWN} more")
        best = best_of(self._prospects, seen)
        return Group(head, rows, Text(f"Best so far: {best}" if best else "", style="green"))


def choose_show(prospects: Sequence[Prospect]) -> Show:
    return Screen(prospects) if sys.stderr.isatty() else Lines(prospects)
