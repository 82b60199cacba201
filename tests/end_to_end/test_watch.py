"""Scores on the way: a curve, and the rules that go by it."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from small_runs import configure, losses

from imprint.errors import ConfigError
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.evaluation.watch import LiveScore
from imprint.planning.prepare import prepare
from imprint.runs import Run
from imprint.scoring.live import LiveScorer
from imprint.verbs.train import train

WATCHED = [
    "evaluation=quick",
    "+encoders@model.encoders=mini",
    "evaluation.pictures.subject.images=1",
    "evaluation.pictures.subject.numbers=[0,1]",
    "watch.every=2",
    "method=lora",
]


def curve(run: Run) -> list[dict[str, float]]:
    with run.score_curve.open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def scores_are(patch: pytest.MonkeyPatch, by_step: dict[int, float]) -> list[int]:
    """Instead of the pictures' own; returns the steps that were looked at."""
    seen: list[int] = []

    def score(self: LiveScorer, model: Any, step: int) -> dict[str, LiveScore]:
        seen.append(step)
        return {"dino": LiveScore(by_step[step], "0123456789ab")}

    patch.setattr(LiveScorer, "score", score)
    return seen


def test_a_curve_and_a_sheet_come_of_a_watched_run(finished: Callable[..., Run]) -> None:
    run = finished(*WATCHED)
    rows = curve(run)
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    assert {name.partition("@")[0] for name in rows[0]} == {"step", "quick/dino", "quick/clip_i", "quick/clip_t"}
    assert all(math.isfinite(value) for row in rows for value in row.values())
    facts = run.read().watch
    assert facts["looks"] == 4
    assert 0 < facts["share"] <= 1
    [file] = (run.folder / "scores").glob("quick-*.json")
    sheet = ScoreSheet.read(file)
    assert set(sheet.rows) == {"tuned", "untuned", "real"}
    # The last look and the finished result are the same weights, prompts and noise.
    dino = f"quick/dino@{sheet.metrics['dino'].fingerprint[:6]}"
    assert sheet.rows["tuned"]["dino"].mean == pytest.approx(rows[-1][dino], abs=1e-4)


def test_encoders_of_a_run_in_mixed_precision_compute_in_float32(finished: Callable[..., Run]) -> None:
    run = finished(*WATCHED, "hparams.precision=bf16-mixed", "hparams.steps=2")
    [file] = (run.folder / "scores").glob("quick-*.json")
    last, finished_run = curve(run)[-1], ScoreSheet.read(file).rows["tuned"]
    for name, value in last.items():
        if name != "step":  # the same weights, but for where the last pictures were drawn in bfloat16
            assert value == pytest.approx(finished_run[name.partition("@")[0].removeprefix("quick/")].mean, abs=0.1)


def test_looking_changes_nothing_of_the_training(finished: Callable[..., Run]) -> None:
    watched, alone = finished(*WATCHED), finished("method=lora")
    assert losses(watched) == losses(alone)
    assert watched.folder.name == alone.folder.name


def test_a_finished_run_is_scored_without_training_it_again(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    run = train(configure(tiny_sd, pictures, tmp_path, "method=lora"))
    finished = run.read().finished
    assert not (run.folder / "scores").exists()
    train(configure(tiny_sd, pictures, tmp_path, *WATCHED))
    assert run.read().finished == finished
    assert len(list((run.folder / "scores").glob("quick-*.json"))) == 1


def test_a_run_that_nobody_watches_is_scored_once(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = scores_are(monkeypatch, {})
    run = train(configure(tiny_sd, pictures, tmp_path, *WATCHED, "watch.every=0"))
    assert not seen
    assert not run.score_curve.exists()
    assert len(list((run.folder / "scores").glob("quick-*.json"))) == 1


def test_the_best_result_is_kept(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores_are(monkeypatch, {0: 0.1, 2: 0.5, 4: 0.3, 6: 0.2})
    best = train(configure(tiny_sd, pictures, tmp_path / "best", *WATCHED, "watch.by=dino", "watch.keep=best"))
    two_steps = train(configure(tiny_sd, pictures, tmp_path / "two", "method=lora", "hparams.steps=2"))
    [kept] = best.result.glob("*.safetensors")
    [expected] = two_steps.result.glob("*.safetensors")
    weights, same = load_file(kept), load_file(expected)
    assert all((weights[name] == same[name]).all() for name in same)
    facts = best.read().watch
    assert (facts["by"], facts["best_step"], facts["best"]) == ("dino", 2, 0.5)


def test_patience_ends_a_run(tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scores_are(monkeypatch, dict(enumerate([0.1, 0, 0.5, 0, 0.4, 0, 0.3, 0, 0.2, 0, 0.1])))
    cfg = configure(tiny_sd, pictures, tmp_path, *WATCHED, "watch.by=dino", "watch.patience=2", "hparams.steps=10")
    run = train(cfg)
    assert seen == [0, 2, 4, 6]
    assert run.read().watch["stopped_at"] == 6
    assert run.read().training.steps == 6
    assert run.status == "finished"


def test_a_resumed_run_looks_on(tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores_are(monkeypatch, {0: 0.1, 2: 0.5, 4: 0.3, 6: 0.2})
    looked = LiveScorer.score

    def cut_off(self: LiveScorer, model: Any, step: int) -> Any:
        if step == 6:
            raise KeyboardInterrupt
        return looked(self, model, step)

    rules = [*WATCHED, "watch.by=dino", "watch.keep=best"]
    with monkeypatch.context() as patch:
        patch.setattr(LiveScorer, "score", cut_off)
        with pytest.raises(KeyboardInterrupt):
            train(configure(tiny_sd, pictures, tmp_path, *rules))
    run = train(configure(tiny_sd, pictures, tmp_path, *rules))
    assert [row["step"] for row in curve(run)] == [0, 2, 4, 6]
    assert run.read().watch["best_step"] == 2


def test_rules_are_part_of_what_a_run_is(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    looked_at = prepare(configure(tiny_sd, pictures, tmp_path, *WATCHED)).run
    ruled = prepare(configure(tiny_sd, pictures, tmp_path, *WATCHED, "watch.by=dino", "watch.keep=best")).run
    assert looked_at.folder != ruled.folder


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["watch.every=2"], "evaluation=none"),
        (["evaluation=quick", "watch.every=2", "watch.by=dyno"], "dino"),
        (["evaluation=quick"], "dino-vits16"),
        (["evaluation=quick", "watch.keep=best"], "Name one of the evaluation's"),
        (["evaluation=quick", "watch.by=dino", "watch.keep=best"], "every=50"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(
    settings: list[str], told: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        prepare(configure(tiny_sd, pictures, tmp_path, *settings))
