import json
from dataclasses import replace
from pathlib import Path

import pytest
from unit.reporting.runs_on_disk import scored_pictures
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.test_report_scores import scored_run

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.reporting.picture_scores import picture_scores
from imprint.reporting.record import find_runs
from imprint.reporting.run_scores import scores_of
from imprint.reporting.units import score


@pytest.fixture
def own() -> ScoreSheet:
    return replace(sheet(prompts=3, images=2), drawing={"sampler": {"steps": 15}, "size": [64, 64]})


def told(outputs: Path, *, without: str = "") -> dict[str, list[str]]:
    records = find_runs([outputs])
    scores = scores_of(records)
    shown = {file for file in outputs.rglob("*.png") if file.name != without}
    return {file.name: texts for file, texts in picture_scores(records, scores, scores.columns, shown=shown).items()}


def test_a_picture_has_the_numbers_of_its_prompt_and_number(tmp_path: Path, own: ScoreSheet) -> None:
    scored_pictures(scored_run(tmp_path, own), own)
    found = told(tmp_path)
    assert sorted(found) == [f"{prompt:03d}-{k}.png" for prompt in range(3) for k in range(2)]
    [dino] = [each.value for each in own.rows["tuned"]["dino"].values if (each.number, each.k) == (2, 1)]
    assert found["002-1.png"][0] == f"DINO {score(dino)}"
    assert found["002-1.png"][1].startswith("CLIP-T 0.")
    assert "002-1.png" not in told(tmp_path, without="002-1.png")


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "cat"},
        {"sampler": {"steps": 50}},
        {"scale": {"denoiser": 0.5}},
        {"base": "another"},
    ],
    ids=["subject", "sampler", "strength", "base"],
)
def test_of_pictures_that_were_drawn_otherwise_nothing_is_told(
    tmp_path: Path, own: ScoreSheet, change: dict[str, object]
) -> None:
    index = scored_pictures(scored_run(tmp_path, own), own)
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    assert told(tmp_path) == {}


def test_of_another_prompt_in_its_place_nothing_is_told(tmp_path: Path, own: ScoreSheet) -> None:
    index = scored_pictures(scored_run(tmp_path, own), own)
    index.write_text(index.read_text().replace("prompt 1", "another"))
    assert sorted(told(tmp_path)) == ["000-0.png", "000-1.png", "002-0.png", "002-1.png"]


def test_a_damaged_index_and_an_old_sheet_tell_nothing(tmp_path: Path, own: ScoreSheet) -> None:
    scored_pictures(scored_run(tmp_path, own), own).write_text("{")
    old = replace(sheet("cat", prompts=3), drawing={})
    scored_pictures(scored_run(tmp_path, old), old)
    assert told(tmp_path) == {}
