"""What is launched, and what is waited for, where another program works on the same points."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from filelock import FileLock
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from imprint.errors import RunBusy
from imprint.launching import launch as launching
from imprint.launching.launch import launch
from imprint.launching.plan import PlannedPoint
from imprint.runs import Run


@dataclass
class Point:
    """One that is done when its run is finished."""

    run: Run

    @property
    def name(self) -> str:
        return self.run.folder.name

    @property
    def to_do(self) -> str:
        return "done" if self.run.status == "finished" else "to train"

    def updated(self) -> "Point":
        return self

    def overrides(self, own: Any) -> list[str]:
        return [self.name]


@dataclass
class Launches:
    """A launcher whose points do what `work` says of their names."""

    work: Callable[[str], Exception | None]
    asked: list[list[str]] = field(default_factory=list)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        self.asked.append([name for [name] in job_overrides])
        return [self._done(name) for [name] in job_overrides]

    def _done(self, name: str) -> JobReturn:
        error = self.work(name)
        return JobReturn(_return_value=error, status=JobStatus.FAILED if error else JobStatus.COMPLETED)


@pytest.fixture
def points(tmp_path: Path) -> list[Point]:
    return [Point(Run(tmp_path / name)) for name in ("a", "b")]


def finished(point: Point, status: str = "finished") -> None:
    point.run.folder.mkdir(exist_ok=True)
    point.run.note({"status": status})


def launched(launcher: Launches, points: list[Point]) -> dict[str, str]:
    return launch(cast(Launcher, launcher), cast(list[PlannedPoint], points), {})


def test_a_point_that_fails_is_heard_of_and_not_tried_twice(points: list[Point]) -> None:
    launcher = Launches(lambda name: RuntimeError("it rained") if name == "a" else None)
    assert launched(launcher, points) == {"a": "it rained"}
    assert launcher.asked == [["a", "b"]]


@pytest.mark.parametrize(("leaves", "again"), [("finished", []), ("failed", []), ("running", [["a"]])])
def test_what_another_program_is_at_is_gone_on_with_where_that_leaves_it_unfinished(
    leaves: str,
    again: list[list[str]],
    points: list[Point],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    finished(points[0], "running")
    lock = FileLock(points[0].run.lock)
    lock.acquire()

    def meanwhile(seconds: float) -> None:
        finished(points[0], leaves)
        lock.release()

    monkeypatch.setattr(launching.time, "sleep", meanwhile)
    launcher = Launches(lambda name: None)
    assert launched(launcher, points) == {}
    assert launcher.asked == [["b"], *again]
    assert "1 of 2 points are being trained by another program: waiting for it." in caplog.text


def test_a_point_that_another_program_was_faster_with_is_launched_again(points: list[Point]) -> None:
    errors: list[Exception | None] = [RunBusy("another process is training this very run."), None, None]
    launcher = Launches(lambda name: errors.pop(0))
    assert launched(launcher, points) == {}
    assert launcher.asked == [["a", "b"], ["a"]]
