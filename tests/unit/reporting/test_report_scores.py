import json
import os
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from unit.reporting.runs_on_disk import make_run
from unit.reporting.scoreboard.sheets import sheet

from imprint.evaluation.score_sheet import Scored, ScoreSheet
from imprint.reporting.labels import setting_columns
from imprint.reporting.record import find_runs
from imprint.reporting.run_scores import scores_of
from imprint.reporting.run_table import other_settings, run_table
from imprint.tables.table import Table
from imprint.verbs.report import write_report

SUBJECTS = ("dog", "cat", "can", "clock", "candle", "berry", "boot")


def scored_run(outputs: Path, *sheets: ScoreSheet) -> Path:
    """A run with these sheets, the last one the newest."""
    first = sheets[0]
    settings = {
        "method": {"_target_": f"imprint.methods.{first.method}", **(first.settings.get("told") or {})},
        "dataset": {"path": f"photos/{first.subject}"},
    }
    folder = make_run(outputs / first.run, settings=settings, steps=20, drawn_at=())
    manifest = json.loads((folder / "manifest.json").read_text())
    more = {"trained_parameters": {"denoiser": 797_184}, "result_bytes": 3_200_000}
    (folder / "manifest.json").write_text(json.dumps({**manifest, **more}))
    for age, each in enumerate(reversed(sheets)):
        file = folder / "scores" / f"{each.profile}-{age}.json"
        each.write(file)
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    return folder


def table(outputs: Path) -> Table:
    records = find_runs([outputs])
    return run_table(records, scores_of(records), setting_columns([record.settings for record in records]))


def cells(found: Table, run: str) -> dict[tuple[str, str], str]:
    """A row's texts by group and heading."""
    (row,) = [row for row in found.rows if row.cells[0].value == run]
    texts = zip(found.columns, found.texts(row), strict=True)
    return {(column.group, column.heading): text for column, (_, text, _) in texts}


def references(found: Table) -> list[str]:
    return [str(row.cells[0].value) for row in found.rows if row.is_reference]


def test_a_run_s_row_has_what_it_scored_and_took(tmp_path: Path) -> None:
    own = sheet()
    scored_run(tmp_path, own)
    found = cells(table(tmp_path), own.run)
    assert found["quick", "DINO ↑"] == f"{own.rows['tuned']['dino'].mean:.3f}"
    assert found["training", "steps"] == "20"
    assert found["training", "trained parameters"] == "797,184"
    assert found["training", "size"] == "3.2 MB"


def test_floors_and_ceilings_stand_below_the_runs(tmp_path: Path) -> None:
    own = sheet()
    scored_run(tmp_path, own)
    found = table(tmp_path)
    assert references(found) == ["untuned model", "real photos"]
    untuned, real = (cells(found, name) for name in references(found))
    assert untuned["quick", "DINO ↑"] == f"{own.rows['untuned']['dino'].mean:.3f}"
    assert real["quick", "CLIP-T ↑"] == "–"
    assert untuned["training", "steps"] == ""


def test_numbers_of_different_fingerprints_have_columns_of_their_own(tmp_path: Path) -> None:
    one, other = sheet(), sheet(method="dreambooth", fingerprint="ffffffffffff")
    scored_run(tmp_path, one)
    scored_run(tmp_path, other)
    found = cells(table(tmp_path), one.run)
    dino = {heading: text for (_, heading), text in found.items() if heading.startswith("DINO")}
    assert set(dino) == {"DINO (di0123) ↑", "DINO (diffff) ↑"}
    assert dino["DINO (diffff) ↑"] == "–"
    html = write_report([tmp_path], tmp_path / "report.html").read_text()
    assert "are measured differently" in html


def test_a_profile_heads_its_columns_and_only_its_newest_sheet_counts(tmp_path: Path) -> None:
    old, new = sheet(better_by=0.0), sheet(better_by=0.3)
    careful = sheet(profile="careful", fingerprint="ccccccccc")
    scored_run(tmp_path, old, careful, new)
    found = table(tmp_path)
    page = write_report([tmp_path], tmp_path / "report.html").read_text()
    [groups] = re.findall(r'<tr class="groups">(.*?)</tr>', page)
    assert re.findall(r">(\w+)<", groups) == ["careful", "quick", "training"]
    assert cells(found, new.run)["quick", "DINO ↑"] == f"{new.rows['tuned']['dino'].mean:.3f}"


def test_a_setting_that_another_one_says_already_is_no_column(tmp_path: Path) -> None:
    for number in range(3):
        dataset = {"path": f"/a/long/way/to/the/photos/of/{number}", "subject": f"s{number}", "noun": "dog"}
        make_run(tmp_path / f"run-{number}", settings={"dataset": dataset, "watch": {"every": number}}, drawn_at=())
    assert [column.heading for column in table(tmp_path).columns if not column.group] == ["run", "subject"]
    records = find_runs([tmp_path])
    keys = setting_columns([record.settings for record in records])
    assert {key for key, _ in other_settings(records, keys)} == {"dataset.path", "watch.every"}


def test_methods_on_several_subjects_are_tested_in_pairs(tmp_path: Path) -> None:
    for subject in SUBJECTS:
        scored_run(tmp_path, sheet(subject, "lora"))
        scored_run(tmp_path, sheet(subject, "dreambooth", better_by=0.2))
    html = unescape(write_report([tmp_path], tmp_path / "report.html").read_text())
    methods = html[html.index("<h2>Methods</h2>") :]
    assert "p (Holm)" in methods
    assert re.search(r"<strong[^>]*>0\.\d{3}</strong> <span[^>]*>\[0\.\d{3}, 0\.\d{3}\]", methods)
    assert "dreambooth − lora" in methods
    assert "Methods" not in write_report([tmp_path / sheet("dog").run], tmp_path / "one.html").read_text()


def test_marks_tell_who_they_are_and_their_numbers(tmp_path: Path) -> None:
    own = sheet()
    scored_run(tmp_path, own)
    scored_run(tmp_path, sheet(method="<!--<script>&\u2028"))
    html = write_report([tmp_path], tmp_path / "report.html").read_text()
    [told] = re.findall(r'<script type="application/json" id="scatter">(.*?)</script>', html, flags=re.S)
    drawn = json.loads(told)
    marks = {mark["name"]: mark for mark in drawn["marks"]}
    assert set(marks) == {"lora", "<!--<script>& ", "untuned model", "real photos"}
    value, low, high, text = marks["lora"]["numbers"]["dino"]
    assert value == own.rows["tuned"]["dino"].mean
    assert low < value < high
    assert text.startswith(f"{value:.3f} [")
    assert marks["lora"]["runs"] == [own.run]
    assert "clip_t" not in marks["real photos"]["numbers"]
    assert drawn["start"] == ["clip_t", "dino"]
    assert "<!--<script>" not in html


def test_scores_on_the_way_are_curves_by_fingerprint(tmp_path: Path) -> None:
    own = sheet()
    folder = scored_run(tmp_path, own)
    known = f"quick/dino@{own.metrics['dino'].fingerprint[:6]}"
    (folder / "scores" / "curve.csv").write_text(f"step,{known},quick/dino@999999\n0,0.1,0.4\n10,0.25,0.5\n")
    html = write_report([tmp_path], tmp_path / "report.html").read_text()
    named = re.findall(r'aria-label="([^"]*) over optimiser steps"', html)
    assert named == ["loss", f"DINO ↑ (quick, {known[-6:]})", "dino (quick, 999999)"]
    assert "0.2500 at step 10" in html


@pytest.mark.parametrize("text", ["{", "[]", '{"run": "x"}'])
def test_what_is_no_sheet_is_left_out_and_told(tmp_path: Path, text: str) -> None:
    own = sheet()
    folder = scored_run(tmp_path, own)
    (folder / "scores" / "quick-broken.json").write_text(text)
    html = write_report([tmp_path], tmp_path / "report.html").read_text()
    assert "scores/quick-broken.json is no sheet of scores" in html
    assert f"{own.rows['tuned']['dino'].mean:.3f}" in html


def test_a_score_that_is_no_number_is_told_and_stops_nothing(tmp_path: Path) -> None:
    own = sheet()
    lost = Scored(mean=float("nan"), by_category={}, values=[replaced(own)])
    scored_run(tmp_path, replace(own, rows={"tuned": {**own.rows["tuned"], "dino": lost}}))
    html = write_report([tmp_path], tmp_path / "report.html").read_text()
    assert "dino of tuned, subject prompt 0 is nan" in html
    assert "no number" in html


def replaced(own: ScoreSheet) -> object:
    return own.rows["tuned"]["dino"].values[0]._replace(value=float("nan"))


def test_failures_are_told_those_of_scoring_too(tmp_path: Path) -> None:
    silent = make_run(tmp_path / "silent", settings={"a": 1}, status="failed", drawn_at=())
    assert not (silent / "error.txt").exists()
    unscored = make_run(tmp_path / "unscored", settings={"a": 2}, drawn_at=())
    (unscored / "scores").mkdir()
    (unscored / "scores" / "error.txt").write_text("The disk is full.")
    html = write_report([tmp_path], tmp_path / "report.html").read_text()
    failures = html[html.index("<h2>Failures</h2>") :]
    assert "its folder does not say why" in failures
    assert "The disk is full." in failures
