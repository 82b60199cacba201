"""How long the rest of a sweep takes."""

import time
from collections.abc import Mapping, Sequence
from statistics import fmean

from imprint.launching.prospects import Prospect
from imprint.launching.standing import ENDED, Standing
from imprint.reporting.local import last_step
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
        self._before = {point.name: _share_before(point) for point in left}  # is no measure of this launch
        self._began = time.monotonic()

    def left(self, seen: Mapping[str, Standing]) -> str:
        """To be put behind the number of points that are left; empty where nothing can be said."""
        new = rest = 0.0
        for name, work in self._work.items():
            share = max(_share(seen[name]), self._before[name])
            new += work * (share - self._before[name])
            rest += work * (1 - share)
        if new <= 0 or rest <= 0:
            return ""
        return f", about {duration((time.monotonic() - self._began) * rest / new)}"


def _share(standing: Standing) -> float:
    return 1.0 if standing.state in ENDED else standing.share


def _share_before(point: Prospect) -> float:
    if point.to_do == "to score":
        return 1.0
    return last_step(point.run.metrics) / point.plan.parts.hparams.steps if point.to_do == "to go on with" else 0.0
