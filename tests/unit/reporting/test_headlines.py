"""What a page comes to, in sentences that its intervals allow."""

import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from unit.reporting.runs_on_disk import make_run
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.sweeps_on_disk import rates
from unit.reporting.test_report_scores import scored_run

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.reporting.heading import headlines
from imprint.reporting.record import find_runs, records_of
from imprint.reporting.run_scores import scores_of
from imprint.reporting.side_by_side import labels


def said(folder: Path, *objectives: str) -> list[str]:
    records = find_runs([folder])
    return headlines(records, scores_of(records), labels(records), objectives=objectives)


def test_who_is_best_by_what_the_author_named_comes_first(tmp_path: Path) -> None:
    sweep = rates(tmp_path, is_over=True)
    records = records_of(sweep.points)
    scores = scores_of(records)
    first, second, *_ = headlines(records, scores, labels(records), objectives=sweep.objectives)
    # Each further point was given better numbers than the one before.
    [column] = [column for column in scores.columns if column.name == "clip_t"]
    assert first.startswith(f"Lora, {labels(records)[records[-1].name]} is closest to its prompts (CLIP-T ")
    assert f"{scores.mean(records[-1], column):.3f}; the untuned model" in first
    assert "nearest to the subject (DINO" in second


def test_what_was_stopped_is_not_the_quickest(tmp_path: Path) -> None:
    """Times, and the steps beside them where they are unequal, are of runs that have finished."""
    for name, status, steps, seconds in (
        ("lora", "finished", 200, 60),
        ("loha", "finished", 400, 90),
        ("dora", "running", 10, 5),
    ):
        run = make_run(tmp_path / f"dog-{name}-0", settings={"method": name}, status=status, steps=steps, drawn_at=())
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["training"]["seconds"] = seconds
        (run / "manifest.json").write_text(json.dumps(manifest))
    assert said(tmp_path) == ["Quickest: lora, 1 min 00 s for 200 steps; slowest: loha, 1 min 30 s for 400 steps."]


def test_points_that_are_not_scored_have_no_say(tmp_path: Path) -> None:
    sweep = rates(tmp_path)
    records = records_of(sweep.points)
    lines = headlines(records, scores_of(records), labels(records), objectives=["no_such_metric"])
    assert "nearest to the subject" in lines[0]
    waiting = labels(records)[records[-1].name]
    assert not any(waiting in line for line in lines)


@pytest.mark.parametrize(
    ("better_by", "expected"),
    [
        (
            (0.4, 0.0),
            "Lora is nearest to the subject .*; dreambooth is nearer to the subject than the untuned model, too",
        ),
        ((0.2, 0.2), "(Dreambooth and lora|Lora and dreambooth) are nearer .* than the untuned model .*cannot be told"),
        ((0.2, None), "Lora is nearest to the subject .*; dreambooth is not told apart from the untuned model"),
        ((None, None), "None is told apart from the untuned model by likeness to the subject"),
        ((-0.5, None), "Lora is further from the subject than the untuned model .*; dreambooth is not told apart"),
    ],
)
def test_nobody_is_praised_within_the_interval(
    better_by: tuple[float | None, float | None], expected: str, tmp_path: Path
) -> None:
    """None: the run draws what the untuned model draws."""
    for method, amount in zip(("lora", "dreambooth"), better_by, strict=True):
        own = sheet(method=method, better_by=amount or 0.0, prompts=8)
        if amount is None:
            own = replace(own, rows={**own.rows, "tuned": own.rows["untuned"]})
        scored_run(tmp_path, own)
    assert re.match(expected, said(tmp_path)[0]), said(tmp_path)[0]


def uneven(method: str, *, by: float) -> ScoreSheet:
    """With a high mean that comes of half of its prompts: which other prompts may not have."""
    own = sheet(method=method, prompts=8)
    tuned = own.rows["tuned"]["dino"]
    values = [
        value._replace(value=value.value + (by if (value.number or 0) % 2 else -by / 2)) for value in tuned.values
    ]
    scored = replace(tuned, mean=fmean(value.value for value in values), values=values)
    return replace(own, rows={**own.rows, "tuned": {**own.rows["tuned"], "dino": scored}})


def test_numbers_are_of_those_whom_the_sentence_speaks_of(tmp_path: Path) -> None:
    steady = [sheet(method=method, better_by=by, prompts=8) for method, by in (("lora", 0.0), ("loha", 0.1))]
    wild = uneven("dreambooth", by=2.0)
    for own in (*steady, wild):
        scored_run(tmp_path, own)
    low, high = (own.rows["tuned"]["dino"].mean for own in steady)
    assert wild.rows["tuned"]["dino"].mean > high
    line = said(tmp_path)[0]
    assert re.match(
        rf"(Loha and lora|Lora and loha) are nearer .* \(DINO {low:.3f} to {high:.3f}; the untuned", line
    ), line


def test_of_none_the_range_of_all_is_told(tmp_path: Path) -> None:
    for method, by in (("lora", 2.0), ("loha", 3.0)):
        scored_run(tmp_path, uneven(method, by=by))
    means = sorted(uneven(method, by=by).rows["tuned"]["dino"].mean for method, by in (("lora", 2.0), ("loha", 3.0)))
    line = said(tmp_path)[0]
    assert line.startswith("None is told apart"), line
    assert f"(DINO {means[0]:.3f} to {means[1]:.3f}; the untuned" in line
