"""Which point of a sweep is ahead, and when it is called the best."""

from pathlib import Path

import pytest
from unit.launching.test_status import planned
from unit.reporting.scoreboard.sheets import sheet

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.launching.leading import LeadingPoints
from imprint.launching.plan import PlannedPoint
from imprint.launching.status import Status
from imprint.runs import Run

NAMES = ("a", "b", "c")


def scored(outputs: Path, name: str, own: ScoreSheet) -> PlannedPoint:
    run = Run(outputs / name)
    file = run.folder / "scores" / "quick-1.json"
    own.write(file)
    means = {metric: found.mean for metric, found in own.rows["tuned"].items()}
    run.note(
        {
            "scores": {
                "quick-1": {
                    "profile": "quick",
                    "subject": own.subject,
                    "means": means,
                    "file": str(file.relative_to(run.folder)),
                }
            }
        }
    )
    return planned(run, profile="quick")


def points(outputs: Path, better: tuple[float, ...], prompts: int = 8, **settings: object) -> list[PlannedPoint]:
    return [
        scored(
            outputs,
            name,
            sheet("dog", settings={"method.lr": index}, better_by=by, prompts=prompts, metrics=("dino", "pres")),
        )
        for index, (name, by) in enumerate(zip(NAMES, better, strict=False))
    ]


def done(own: list[PlannedPoint]) -> dict[str, Status]:
    return {
        point.name: Status(
            "done", 1, {key: value for note in point.run.read().scores.values() for key, value in note.means.items()}
        )
        for point in own
    }


def test_it_goes_by_the_first_objective_that_is_measured(tmp_path: Path) -> None:
    own = points(tmp_path, (0.0, 0.3, 0.1))
    found = LeadingPoints(own).among(done(own))
    assert found is not None
    assert (found.point.name, found.metric, found.leader.is_best) == ("b", "dino", True)
    assert str(found).startswith("Best dino, ")
    for point in own:
        point.plan.parts.sweep.objectives[:] = ["pres"]
    lowest = LeadingPoints(own).among(done(own))
    assert lowest is not None
    assert lowest.point.name == "a"


def test_noise_is_never_the_best(tmp_path: Path) -> None:
    own = points(tmp_path, (0.0, 0.0, 0.0))
    found = LeadingPoints(own).among(done(own))
    assert found is not None
    assert not found.leader.is_best
    assert str(found).startswith("Highest dino, ")
    assert "not told apart" in str(found)


def test_without_a_contest_nobody_leads(tmp_path: Path) -> None:
    own = points(tmp_path, (0.0, 0.3))
    waiting = dict.fromkeys(NAMES[:2], Status("training"))
    assert LeadingPoints(own).among(waiting) is None
    assert LeadingPoints(own).among({**waiting, "a": done(own)["a"]}) is None


def test_the_point_of_the_easiest_subject_does_not_lead(tmp_path: Path) -> None:
    own = [scored(tmp_path, name, sheet(name, prompts=8, better_by=by)) for name, by in (("dog", 0.0), ("cat", 0.5))]
    assert LeadingPoints(own).among(done(own)) is None


def test_sheets_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = points(tmp_path, (0.0, 0.3, 0.1))
    leading = LeadingPoints(own)
    first = leading.among(done(own))
    monkeypatch.setattr(ScoreSheet, "read", None)
    assert leading.among(done(own)) == first
