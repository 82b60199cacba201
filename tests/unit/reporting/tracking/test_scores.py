"""Evaluations, told to the W&B run of the training."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from unit.reporting.runs_on_disk import picture
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.tracking.offline import begun, history, settings, stays, summary, table

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.reporting.tracking.scores import log_scores, score_name
from imprint.runs import Run


def scored(
    folder: Path, *sheets: ScoreSheet, trained: str | None = "offline", shots: int = 0
) -> tuple[Run, list[Path]]:
    """A finished run with these sheets, and pictures that they are of."""
    run = Run(folder / "rex-lora-0123abcd")
    config: dict[str, Any] = {"method": {"_kind_": "method/lora"}, "dataset": {"path": "photos/rex"}}
    if trained:
        config["report"] = {"wandb": settings(trained)._asdict()}
    gallery = run.folder / "pictures" / "subject-aa"
    entries = []
    for number in range(shots):
        for k in (0, 1):
            picture(gallery / f"{number:03d}-{k}.png", 20 * number + k)
            told = {"file": f"{number:03d}-{k}.png", "set": "subject", "number": number, "k": k, "state": "ok"}
            entries.append({**told, "prompt": f"a sks dog, {number}", "seed": 40 + number})
    if entries:
        (gallery / "pictures.json").write_text(json.dumps({"pictures": entries}))
    files = [run.folder / "scores" / f"{each.profile}-{number}.json" for number, each in enumerate(sheets)]
    for file, each in zip(files, sheets, strict=True):
        each.write(file)
    run.note(
        {
            "status": "finished",
            "name": "rex-lora",
            "config": config,
            "training": {"steps": 400},
            "scores": {file.stem: {"pictures": ["pictures/subject-aa"]} for file in files},
        }
    )
    return run, files


def one(run: Run) -> Path:
    (stay,) = stays(run.folder)
    return stay


def test_the_numbers_are_in_the_run_of_the_training_named_as_curves_are(tmp_path: Path) -> None:
    own = sheet()
    run, files = scored(tmp_path, own)
    log_scores(run, files)
    started = begun(one(run))
    assert (started["run_id"], started["display_name"], started["job_type"]) == ("0123abcd", "rex-lora", "train")
    assert (started["run_group"], started["tags"]) == ("my-grid", ["a", "b", "lora", "rex"])
    name = f"quick/dino@{own.metrics['dino'].fingerprint[:6]}"
    (row,) = history(one(run))
    assert row[name] == pytest.approx(own.rows["tuned"]["dino"].mean)
    assert row["step"] == 400
    assert summary(one(run))["summary"][name] == row[name]


def test_the_breakdown_has_every_row_and_category(tmp_path: Path) -> None:
    own = sheet()
    run, files = scored(tmp_path, own)
    log_scores(run, files)
    rows = table(one(run), "quick/breakdown")
    found = {(row["row"], row["metric"], row["category"]): row for row in rows}
    assert {row["row"] for row in rows} == {"tuned", "untuned", "real"}
    for name, scores in own.rows["untuned"].items():
        title = own.metrics[name].title
        assert found["untuned", title, "all"]["mean"] == pytest.approx(scores.mean)
        assert found["untuned", title, "all"]["fingerprint"] == own.metrics[name].fingerprint
        for category, mean in scores.by_category.items():
            assert found["untuned", title, category]["mean"] == pytest.approx(mean)


def test_pictures_are_shown_with_their_own_numbers(tmp_path: Path) -> None:
    own = sheet()
    run, files = scored(tmp_path, own, shots=3)
    log_scores(run, files)
    rows = table(one(run), "quick/pictures")
    assert [(row["prompt"], row["seed"]) for row in rows] == [(f"a sks dog, {n}", str(40 + n)) for n in range(3)]
    values = {value.number: value.value for value in own.rows["tuned"]["dino"].values if value.k == 0}
    assert [row["DINO"] for row in rows] == [pytest.approx(values[number]) for number in range(3)]
    assert len({row["picture"]["sha256"] for row in rows}) == 3


def test_of_several_subjects_the_number_is_their_mean(tmp_path: Path) -> None:
    sheets = [sheet("dog"), sheet("cat")]
    run, files = scored(tmp_path, *sheets)
    log_scores(run, files)
    (row,) = history(one(run))
    assert row[score_name(sheets[0], "dino")] == pytest.approx(fmean(own.rows["tuned"]["dino"].mean for own in sheets))
    assert {row["subject"] for row in table(one(run), "quick/breakdown")} == {"dog", "cat"}


def test_another_strength_or_base_has_names_of_its_own(tmp_path: Path) -> None:
    plain = sheet()
    half = replace(plain, settings={**plain.settings, "scale.denoiser": 0.5})
    run, files = scored(tmp_path, plain, half)
    log_scores(run, files[:1])
    log_scores(run, files[1:])
    names: Sequence[set[str]] = [set(history(stay)[0]) for stay in stays(run.folder)]
    assert f"{score_name(plain, 'dino')}, scale.denoiser=0.5" in names[1]
    assert score_name(plain, "dino") not in names[1]


def test_what_was_told_is_not_repeated_but_what_is_new_is(tmp_path: Path) -> None:
    own = sheet()
    run, files = scored(tmp_path, own)
    log_scores(run, files)
    replace(own, seconds={"drawing": 99.0}).write(files[0])
    log_scores(run, files)
    assert len(stays(run.folder)) == 1
    sheet(better_by=0.1).write(files[0])
    log_scores(run, files)
    assert len(stays(run.folder)) == 2
    log_scores(run, files, settings(project="elsewhere"))
    assert [begun(stay)["project"] for stay in stays(run.folder)] == ["imprint", "imprint", "elsewhere"]


def test_a_training_that_was_not_tracked_is_left_alone_unless_asked_for(tmp_path: Path) -> None:
    for trained in ("off", None):
        run, files = scored(tmp_path / str(trained), sheet(), trained=trained)
        log_scores(run, files)
        log_scores(run, files, settings("off"))
        assert not stays(run.folder)
        log_scores(run, files, settings())
        assert begun(one(run))["job_type"] == "evaluate"


def with_project(run: Run, written: str) -> None:
    config = run.read().config.tree()
    config["report"]["wandb"]["project"] = written
    run.note({"config": config})


def test_settings_that_came_from_wandbs_own_variables_are_read_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, files = scored(tmp_path, sheet())
    with_project(run, "${oc.env:WANDB_PROJECT}")
    monkeypatch.setenv("WANDB_PROJECT", "ours")
    log_scores(run, files)
    assert begun(one(run))["project"] == "ours"


@pytest.mark.parametrize("written", ["${oc.env:MY_SECRET}", "x-${oc.env:MY_SECRET}", "${report.wandb.group}"])
def test_a_run_of_others_reads_no_variable_and_sends_nothing(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_SECRET", "held-by-the-environment")
    run, files = scored(tmp_path, sheet())
    with_project(run, written)
    log_scores(run, files)
    assert not stays(run.folder)
    assert written in caplog.text
    assert "held-by" not in caplog.text
    log_scores(run, files, settings())  # of the one who scores it
    assert begun(one(run))["job_type"] == "train"


def test_a_server_that_is_not_there_never_fails_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    own = sheet()
    run, files = scored(tmp_path, own)
    log_scores(run, files, settings("online"))
    assert "wandb sync" in caplog.text
    assert score_name(own, "dino") in history(one(run))[0]
