"""The sweep's folder, kept up to date while it runs."""

import logging
import time
from collections.abc import Mapping, Sequence

from imprint.launching.prospects import Prospect
from imprint.launching.standing import Standing, stopped
from imprint.launching.summing_up import sum_up
from imprint.reporting.sweep_page import write_sweep_report
from imprint.sweeps import Sweep

SHARE = 0.1  # of the time that may go into the page while points are at work

log = logging.getLogger(__name__)


class Keeper:
    """Writes the summary at every call, the page as often as is cheap. A page that cannot be written stops nothing."""

    def __init__(self, sweep: Sweep, prospects: Sequence[Prospect]) -> None:
        self._sweep = sweep
        self._prospects = prospects
        self._not_before = 0.0

    def keep(self, seen: Mapping[str, Standing]) -> None:
        sum_up(self._sweep, self._prospects, seen)
        began = time.monotonic()
        if began >= self._not_before:
            self._draw()
            self._not_before = time.monotonic() + (time.monotonic() - began) / SHARE

    def end(self, seen: Mapping[str, Standing]) -> None:
        """As it stays: nothing is at work any more."""
        sum_up(self._sweep, self._prospects, {name: stopped(standing) for name, standing in seen.items()})
        self._draw(live=False)

    def _draw(self, *, live: bool | None = None) -> None:
        try:
            write_sweep_report(self._sweep, live=live)
        except Exception as error:
            log.warning("The page %s was not written (%s).", self._sweep.report, error)
            log.debug("Why:", exc_info=True)
