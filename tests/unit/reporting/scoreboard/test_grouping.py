from dataclasses import replace

import pytest
from unit.reporting.scoreboard.sheets import sheet

from imprint.errors import UserError
from imprint.evaluation.records import Value
from imprint.evaluation.score_sheet import Scored, ScoreSheet
from imprint.reporting.scoreboard.grouping import Entry, entries


def contestants(*sheets: ScoreSheet) -> list[Entry]:
    return [entry for entry in entries(sheets) if entry.role == "contestant"]


def test_runs_that_differ_in_subject_and_seed_are_one_contestant() -> None:
    (only,) = contestants(sheet("dog"), sheet("cat", kind="live"), sheet("dog", seed=1))
    assert only.label == "lora"
    assert only.seeds == 2
    assert len(only.sheets) == 3


def test_what_repeats_the_seed_makes_no_other_contestant() -> None:
    repeated = [sheet(seed=seed, settings={"method.words.seed": seed, "prior.seed": 0}) for seed in (0, 1, 2)]
    [entry] = contestants(*repeated)
    assert entry.seeds == 3
    drawn_anew = [sheet(seed=0, settings={"prior.seed": 0}), sheet(seed=0, settings={"prior.seed": 1})]
    assert len(contestants(*drawn_anew)) == 2


def test_a_subject_by_another_name_is_the_same() -> None:
    names = enumerate(("auto", "dog"))
    [entry] = contestants(*(sheet(seed=seed, settings={"dataset.subject": name}) for seed, name in names))
    assert entry.seeds == 2


def test_a_setting_makes_another_contestant_and_names_it() -> None:
    sheets = [sheet(subject, settings={"method.rank": rank}) for rank in (4, 16) for subject in ("dog", "cat")]
    found = contestants(*sheets, sheet("dog", "textual_inversion"))
    assert [entry.label for entry in found] == ["lora, rank 4", "lora, rank 16", "textual inversion"]


def test_the_same_subject_with_other_photos_is_another_contestant() -> None:
    """The path names the subject, unless a subject has two of them."""
    few = sheet("dog", settings={"dataset.path": "photos/three"})
    assert len(contestants(sheet("dog"), few)) == 2
    assert len(contestants(sheet("dog"), sheet("cat"))) == 1


def test_a_checkpoint_is_a_contestant_of_its_own() -> None:
    found = contestants(sheet(), replace(sheet(), step=200))
    assert [entry.label for entry in found] == ["lora, step 400", "lora, step 200"]


def test_floors_and_ceilings_stand_below_the_contestants_once() -> None:
    sheets = [
        sheet(subject, method, rows=("tuned", "bicubic", "untuned", "prompt_only", "real", "copies"))
        for subject in ("dog", "cat")
        for method in ("lora", "loha")
    ]
    assert [(entry.label, entry.role) for entry in entries(sheets)] == [
        ("lora", "contestant"),
        ("loha", "contestant"),
        ("bicubic", "floor"),
        ("untuned model", "floor"),
        ("prompt only", "floor"),
        ("real photos", "ceiling"),
        ("training photos", "ceiling"),
    ]


def test_another_model_has_another_floor() -> None:
    found = entries([sheet(), sheet(settings={"model.source": "sd15"})])
    assert [entry.label for entry in found if entry.row == "untuned"] == [
        "untuned model, source mini",
        "untuned model, source sd15",
    ]
    assert len([entry for entry in found if entry.row == "real"]) == 1


def test_where_things_are_judged_makes_no_difference() -> None:
    assert len(contestants(sheet("dog"), sheet("cat", settings={"model.encoders.clip.name": "other"}))) == 1


def test_no_scores_are_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match="imprint evaluate"):
        entries([])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_with_its_place(value: float) -> None:
    good = sheet()
    bad = Scored(mean=value, by_category={}, values=[Value("subject", 1, 0, value)])
    broken = replace(good, rows={**good.rows, "tuned": {**good.rows["tuned"], "dino": bad}})
    with pytest.raises(UserError, match="dino of tuned, subject prompt 1 is") as refused:
        entries([good, broken])
    assert good.run in str(refused.value)
