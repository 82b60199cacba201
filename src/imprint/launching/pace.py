"""How long the rest of a sweep takes."""

import time
from collections.abc import Mapping, Sequence

from imprint.launching.prospects import Prospect
from imprint.launching.standing import ENDED, Standing
from imprint.reporting.units import duration


class Pace:
    """Going by the time that what is done has taken, however many points are at work at once."""

    def __init__(self, prospects: Sequence[Prospect]) -> None:
        self._work = {point.name: point.work.samples for point in prospects if point.to_do != "done"}
        self._began = time.monotonic()
        self._first: float | None = None

    def left(self, seen: Mapping[str, Standing]) -> str:
        done = sum(samples * _share(seen[name]) for name, samples in self._work.items())
        if self._first is None:  # what earlier launches did is no measure of this one
            self._first = done
        new, rest = done - self._first, sum(self._work.values()) - done
        if new <= 0 or rest <= 0:
            return ""
        return f", about {duration((time.monotonic() - self._began) * rest / new)}"


def _share(standing: Standing) -> float:
    return 1.0 if standing.state in ENDED else standing.share
