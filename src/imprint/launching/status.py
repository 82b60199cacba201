"""How far a point is, as its run's folder tells, whatever launcher has it, on whatever machine; which is ahead, and how
long the rest takes."""

import time
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from imprint.launching.plan import Planned
from imprint.manifest import Manifest
from imprint.reporting.local import last_step
from imprint.reporting.units import duration, score
from imprint.scoring.score import means_of

State = Literal["waiting", "training", "scoring", "done", "failed", "stopped"]
ENDED: tuple[State, ...] = ("done", "failed")


class Status(NamedTuple):
    state: State
    share: float = 0.0  # of its training that is done
    means: dict[str, float] = {}  # noqa: RUF012 - never changed; a tuple's default
    seconds: float | None = None
    reason: str = ""  # why it failed


def stopped(status: Status) -> Status:
    """Of what was at work when its launcher ended: nothing trains it any more, and it says nothing of why."""
    return status._replace(state="stopped") if status.state in ("training", "scoring") else status


def status_of(point: Planned, *, since: float) -> Status:
    """Going by what happened to the run after the moment `since`; of what was before, only what is finished counts."""
    run = point.run
    facts = run.read()
    is_new = facts.status != "absent" and run.manifest.stat().st_mtime >= since
    if facts.status == "finished":
        return _finished(point, facts, is_new=is_new, since=since)
    if not is_new:
        return Status("waiting")
    if facts.status == "failed":
        return Status("failed", reason=facts.error)
    return Status("training", last_step(run.metrics) / point.plan.parts.hparams.steps)


def _finished(point: Planned, facts: Manifest, *, is_new: bool, since: float) -> Status:
    note, means = point.run.scoring_error, means_of(point.run, point.profile)
    seconds = facts.training.seconds
    if note.is_file() and note.stat().st_mtime >= since:
        return Status("failed", 1.0, {}, seconds, note.read_text(encoding="utf-8"))
    if point.to_do == "done" or point.profile is None or (means and is_new):
        return Status("done", 1.0, means, seconds)
    return Status("scoring", 1.0)


class Statuses:
    """Of all points. What has ended is not read again."""

    def __init__(self, points: Sequence[Planned], *, since: float) -> None:
        self._points = points
        self._since = since
        self._ended: dict[str, Status] = {}

    def now(self) -> dict[str, Status]:
        """By name, in the order of the points."""
        found = {}
        for point in self._points:
            name = point.name
            found[name] = self._ended.get(name) or status_of(point, since=self._since)
            if found[name].state in ENDED:
                self._ended[name] = found[name]
        return found


def first_line(text: str) -> str:
    """Of a message; the last one of a stack trace, which says what it was."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "its process ended without a word."
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


class Best(NamedTuple):
    point: Planned
    metric: str
    value: float

    def __str__(self) -> str:
        return f"{self.metric} {score(self.value)}: {self.point.told}"


def best_of(points: Sequence[Planned], seen: Mapping[str, Status]) -> Best | None:
    """By the first objective that any point was measured by."""
    for name in points[0].plan.parts.sweep.objectives:
        scored = [point for point in points if name in seen[point.name].means]
        if scored:
            values = {point.name: seen[point.name].means[name] for point in scored}
            sign = -1 if _lower_is_better(scored[0], name) else 1
            ahead = max(scored, key=lambda point: sign * values[point.name])
            return Best(ahead, name, values[ahead.name])
    return None


def _lower_is_better(point: Planned, name: str) -> bool:
    profile = point.plan.parts.evaluation
    return profile is not None and name in profile.metrics and profile.metrics[name].better == "lower"


class Eta:
    """Going by the time that what is done has taken, however many points are at work at once.

    Of one kind, points take as long as the samples that they see. Kinds differ in what a sample costs; what an average
    point of each takes differs less, since what learns slowly is given more of them, and is cheap.
    """

    def __init__(self, points: Sequence[Planned]) -> None:
        left = [point for point in points if point.to_do != "done"]
        samples: dict[tuple[str, ...], list[int]] = {}
        for point in left:
            samples.setdefault(point.work.kind, []).append(point.work.samples)
        self._work = {point.name: point.work.samples / fmean(samples[point.work.kind]) for point in left}
        self._before = {point.name: _share_before(point) for point in left}  # is no measure of this launch
        self._began = time.monotonic()

    def left(self, seen: Mapping[str, Status]) -> str:
        """To be put behind the number of points that are left; empty where nothing can be said."""
        new = rest = 0.0
        for name, work in self._work.items():
            share = max(_share(seen[name]), self._before[name])
            new += work * (share - self._before[name])
            rest += work * (1 - share)
        if new <= 0 or rest <= 0:
            return ""
        return f", about {duration((time.monotonic() - self._began) * rest / new)}"


def _share(status: Status) -> float:
    return 1.0 if status.state in ENDED else status.share


def _share_before(point: Planned) -> float:
    if point.to_do == "to score":
        return 1.0
    return last_step(point.run.metrics) / point.plan.parts.hparams.steps if point.to_do == "to go on with" else 0.0
