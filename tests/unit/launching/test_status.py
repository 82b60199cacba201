"""How far a point is, from what lies in its folder."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from imprint.launching.plan import PlannedPoint, Work
from imprint.launching.status import Eta, Status, first_line, status_of
from imprint.runs import Run

LAUNCHED = 1000.0
SCORES = {"quick-1": {"profile": "quick", "subject": "dog", "means": {"dino": 0.5, "pres": 0.2}, "seconds": 1.0}}


def planned(
    run: Run, *, profile: str | None = None, to_do: str = "to train", samples: int = 100, kind: str = "lora"
) -> PlannedPoint:
    metrics = {"dino": SimpleNamespace(better="higher"), "pres": SimpleNamespace(better="lower")}
    parts = SimpleNamespace(
        hparams=SimpleNamespace(steps=10),
        evaluation=SimpleNamespace(metrics=metrics) if profile else None,
        sweep=SimpleNamespace(objectives=["fid", "dino"]),
    )
    plan = SimpleNamespace(parts=parts)
    work = Work(samples, (kind,), profile)
    name = run.folder.name
    return cast(
        PlannedPoint,
        SimpleNamespace(run=run, plan=plan, work=work, profile=profile, to_do=to_do, name=name, label=name),
    )


def written(run: Run, *, at: float = LAUNCHED + 1, **facts: Any) -> Run:
    run.folder.mkdir(parents=True, exist_ok=True)
    run.manifest.write_text(json.dumps(facts))
    os.utime(run.manifest, (at, at))
    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "a-run")


def test_what_has_no_folder_waits(run: Run) -> None:
    assert status_of(planned(run), since=LAUNCHED).state == "waiting"


@pytest.mark.parametrize("status", ["running", "failed"])
def test_what_happened_before_the_launch_is_over(run: Run, status: str) -> None:
    written(run, at=LAUNCHED - 1, status=status)
    assert status_of(planned(run), since=LAUNCHED).state == "waiting"


def test_a_share_of_the_steps_is_done(run: Run) -> None:
    written(run, status="running")
    run.metrics.write_text("step,loss\n1,0.5\n4,0.25\n7,0.1")  # the last line is being written
    found = status_of(planned(run), since=LAUNCHED)
    assert (found.state, found.share) == ("training", 0.4)


def test_a_failure_says_why(run: Run) -> None:
    written(run, status="failed", error="no seta")
    assert status_of(planned(run), since=LAUNCHED)[::4] == ("failed", "no seta")


def test_without_an_evaluation_a_finished_run_is_done(run: Run) -> None:
    written(run, at=LAUNCHED - 1, status="finished", training={"seconds": 3.0})
    assert status_of(planned(run), since=LAUNCHED) == Status("done", 1.0, {}, 3.0)


def test_with_one_it_is_done_when_it_is_scored(run: Run) -> None:
    written(run, status="finished")
    assert status_of(planned(run, profile="quick"), since=LAUNCHED).state == "scoring"
    written(run, status="finished", scores=SCORES)
    found = status_of(planned(run, profile="quick"), since=LAUNCHED)
    assert (found.state, found.means) == ("done", {"dino": 0.5, "pres": 0.2})


def test_scores_of_an_earlier_evaluation_are_not_those_that_are_waited_for(run: Run) -> None:
    written(run, at=LAUNCHED - 1, status="finished", scores=SCORES)
    assert status_of(planned(run, profile="quick", to_do="to score"), since=LAUNCHED).state == "scoring"
    assert status_of(planned(run, profile="quick", to_do="done"), since=LAUNCHED).state == "done"


def test_a_run_that_cannot_be_scored_failed(run: Run) -> None:
    written(run, status="finished")
    run.scoring_error.parent.mkdir()
    run.scoring_error.write_text("no encoder")
    found = status_of(planned(run, profile="quick"), since=LAUNCHED)
    assert (found.state, found.reason) == ("failed", "no encoder")


def test_nothing_is_foretold_before_anything_is_done(tmp_path: Path) -> None:
    points = [planned(Run(tmp_path / name)) for name in "ab"]
    eta = Eta(points)
    assert eta.left({"a": Status("training"), "b": Status("waiting")}) == ""
    assert "about" in eta.left({"a": Status("done"), "b": Status("waiting")})
    assert eta.left({"a": Status("done"), "b": Status("failed")}) == ""


@pytest.mark.parametrize(
    ("samples", "kinds", "expected"),
    [
        ((100, 300), ("lora", "lora"), ", about 30 s"),  # of one kind: three times the samples, three times the time
        ((100, 3000), ("lora", "words"), ", about 10 s"),  # what a sample of another kind costs is not known
    ],
)
def test_the_rest_takes_what_its_likes_took(
    samples: tuple[int, int],
    kinds: tuple[str, str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    points = [
        planned(Run(tmp_path / name), samples=seen, kind=kind)
        for name, seen, kind in zip("ab", samples, kinds, strict=True)
    ]
    eta = Eta(points)
    now = 10.0
    assert eta.left({"a": Status("done"), "b": Status("waiting")}) == expected


def test_what_was_done_before_is_no_measure(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    run.metrics.parent.mkdir(parents=True, exist_ok=True)
    run.metrics.write_text("step,loss\n5,0.1\n", encoding="utf-8")
    eta = Eta([planned(run, to_do="to go on with"), planned(Run(tmp_path / "b"))])
    waiting = {run.folder.name: Status("waiting"), "b": Status("waiting")}
    assert eta.left(waiting) == ""
    now = 10.0
    assert eta.left({**waiting, run.folder.name: Status("done")}) == ", about 20 s"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("the first\nand more", "the first"),
        ("Traceback (most recent call last):\n  File ...\nKeyError: 'a'\n", "KeyError: 'a'"),
        ("", "its process ended without a word."),
    ],
)
def test_a_reason_in_one_line(text: str, line: str) -> None:
    assert first_line(text) == line
