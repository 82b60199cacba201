"""What a page comes to, in three lines."""

from pathlib import Path

from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.sweeps_on_disk import rates
from unit.reporting.test_report_scores import scored_run

from imprint.reporting.heading import headlines
from imprint.reporting.record import find_runs, records_of
from imprint.reporting.run_scores import scores_of
from imprint.reporting.side_by_side import labels


def test_who_is_best_by_what_counts_and_who_is_quick(tmp_path: Path) -> None:
    sweep = rates(tmp_path, is_over=True)
    records = records_of(sweep.points)
    scores, names = scores_of(records), labels(records)
    lines = headlines(records, scores, names, objectives=sweep.objectives)
    assert [line.partition(":")[0] for line in lines] == ["Best CLIP-T", "Best DINO", "Quickest"]
    # Each further point was given better numbers than the one before.
    [column] = [column for column in scores.columns if column.name == "clip_t"]
    assert names[records[-1].name] in lines[0]
    assert f"{scores.mean(records[-1], column):.3f}" in lines[0]
    assert "the untuned model" in lines[0]
    assert "slowest" in lines[2]


def test_points_that_are_not_scored_have_no_say(tmp_path: Path) -> None:
    sweep = rates(tmp_path)
    records = records_of(sweep.points)
    lines = headlines(records, scores_of(records), labels(records), objectives=["no_such_metric"])
    assert lines[0].startswith("Best DINO")
    waiting = labels(records)[records[-1].name]
    assert not any(waiting in line for line in lines)


def test_of_one_run_and_of_several_subjects_nothing_is_said(tmp_path: Path) -> None:
    scored_run(tmp_path / "one", sheet())
    for subject in ("dog", "cat"):
        scored_run(tmp_path / "two", sheet(subject=subject))
    for folder in ("one", "two"):
        records = find_runs([tmp_path / folder])
        assert headlines(records, scores_of(records), labels(records)) == []
