"""How long the rest of a sweep takes."""

import time
from collections.abc import Mapping, Sequence
from statistics import fmean

from imprint.launching.prospects import Prospect
from imprint.launching.standing import ENDED, Standing
from imprint.reporting.units import duration


class Pace:
    """Going by the time that what is done has taken, however many points are at work at once.

    Of one kind, points take as long as the samples that they see. Kinds differ in what a sample costs; what an average
    point of each takes differs less, since what learns slowly is given more of them, and is cheap.
    """

    def __init__(self, prospects: Sequence[Prospect]) -> None:
        left = [point for point in prospects if point.to_do != "done"]
        samples: dict[tuple[str, ...], list[int]] = {}
        for point in left:
            samples.setdefault(point.work.kind, []).append(point.work.samples)
        self._work = {point.name: point.work.samples / fmean(samples[point.work.kind]) for point in left}
        self._began = time.monotonic()
        self._first: float | None = None

    def left(self, seen: Mapping[str, Standing]) -> str:
        done = sum(work * _share(seen[name]) for name, work in self._work.items())
        if self._first is None:  # what earlier launches did is no measure of this one
            self._first = done
        new, rest = done - self._first, sum(self._work.values()) - done
        if new <= 0 or rest <= 0:
            return ""
        return f", about {duration((time.monotonic() - self._began) * rest / new)}"


def _share(standing: Standing) -> float:
    return 1.0 if standing.state in ENDED else standing.share
