"""How far each point is, read from its run's folder, so that launcher and machine do not matter; and how long the rest
takes."""

import time
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from imprint.launching.plan import PlannedPoint
from imprint.manifest import Manifest
from imprint.reporting.metrics_file import last_step
from imprint.reporting.units import duration
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
    """For a point whose launcher ended while it was at work, and which reports no failure itself."""
    return status._replace(state="stopped") if status.state in ("training", "scoring") else status


def status_of(point: PlannedPoint, *, since: float) -> Status:
    """After the moment `since`: of what happened before, only a finished run counts."""
    run = point.run
    facts = run.read()
    is_new = facts.status != "absent" and run.manifest.stat().st_mtime >= since
    if facts.status == "finished":
        return _status_of_finished(point, facts, is_new=is_new, since=since)
    if not is_new:
        return Status("waiting")
    if facts.status == "failed":
        return Status("failed", reason=facts.error)
    return Status("training", last_step(run.metrics) / point.plan.parts.hparams.steps)


def _status_of_finished(point: PlannedPoint, facts: Manifest, *, is_new: bool, since: float) -> Status:
    note, means = point.run.scoring_error, means_of(point.run, point.profile)
    seconds = facts.training.seconds
    if note.is_file() and note.stat().st_mtime >= since:
        return Status("failed", 1.0, {}, seconds, note.read_text(encoding="utf-8"))
    if point.to_do == "done" or point.profile is None or (means and is_new):
        return Status("done", 1.0, means, seconds)
    return Status("scoring", 1.0)


class StatusReader:
    """Of all points. The folder of a point that has ended is not read again."""

    def __init__(self, points: Sequence[PlannedPoint], *, since: float) -> None:
        self._points = points
        self._since = since
        self._ended: dict[str, Status] = {}

    def read(self) -> dict[str, Status]:
        """By name, in the order of the points."""
        found = {}
        for point in self._points:
            name = point.name
            found[name] = self._ended.get(name) or status_of(point, since=self._since)
            if found[name].state in ENDED:
                self._ended[name] = found[name]
        return found


def first_line(text: str) -> str:
    """Of a message; of a stack trace the last one, which has the error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "its process ended without a word."
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


Statuses = Mapping[str, Status]  # by the points' names


class Eta:
    """Estimated from the time that the finished part has taken, however many points are at work at once.

    Points of one kind take time in proportion to their samples. Kinds differ in the cost of a sample, but less in the
    time of an average point, since methods that learn slowly get more samples and have cheap ones.
    """

    def __init__(self, points: Sequence[PlannedPoint]) -> None:
        left = [point for point in points if point.to_do != "done"]
        samples: dict[tuple[str, ...], list[int]] = {}
        for point in left:
            samples.setdefault(point.work.kind, []).append(point.work.samples)
        self._work = {point.name: point.work.samples / fmean(samples[point.work.kind]) for point in left}
        self._before = {point.name: _share_before(point) for point in left}  # took no time in this launch
        self._began = time.monotonic()

    def left(self, statuses: Statuses) -> str:
        """As a continuation of the number of points that are left; empty where nothing is known."""
        new = rest = 0.0
        for name, work in self._work.items():
            share = max(_share(statuses[name]), self._before[name])
            new += work * (share - self._before[name])
            rest += work * (1 - share)
        if new <= 0 or rest <= 0:
            return ""
        return f", about {duration((time.monotonic() - self._began) * rest / new)}"


def _share(status: Status) -> float:
    return 1.0 if status.state in ENDED else status.share


def _share_before(point: PlannedPoint) -> float:
    if point.to_do == "to score":
        return 1.0
    return last_step(point.run.metrics) / point.plan.parts.hparams.steps if point.to_do == "to go on with" else 0.0
