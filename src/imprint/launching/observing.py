"""A look at the points of a sweep, again and again, while they run."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from imprint.launching.prospects import Prospect
from imprint.launching.showing import Seen, Show
from imprint.launching.standing import ENDED, Standing, Standings

LOOK = 1.0  # seconds between looks

log = logging.getLogger(__name__)


class Observer:
    """Looks at the points' folders from a thread of its own, until it is closed.

    `seen` is what the last look saw, the very last one after the end. `on_end` is called when points have ended.
    """

    def __init__(self, prospects: Sequence[Prospect], show: Show, on_end: Callable[[Seen], object]) -> None:
        self._prospects = prospects
        self._standings = Standings(prospects, since=time.time())
        self._show = show
        self._on_end = on_end
        self._told = {prospect.name for prospect in prospects if prospect.to_do == "done"}
        self.seen: dict[str, Standing] = self._standings.now()
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
        seen = self._standings.now()
        ended = [point for point in self._prospects if seen[point.name].state in ENDED and point.name not in self._told]
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
