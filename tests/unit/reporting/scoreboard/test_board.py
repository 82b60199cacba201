import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from unit.reporting.scoreboard.sheets import sheet

from imprint.errors import UserError
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.reporting.scoreboard import Board, assemble
from imprint.reporting.scoreboard.files import as_json, numbers
from imprint.reporting.scoreboard.tables import tables
from imprint.tables.csv import as_csv

SUBJECTS = ("backpack", "can", "clock", "dog", "teapot", "vase", "cat")


def board(sheets: Sequence[ScoreSheet], draws: int = 200) -> Board:
    return assemble(sheets, title="A board", costs={}, draws=draws, seed=0)


def two_methods(better_by: float = 0.1) -> list[ScoreSheet]:
    return [
        sheet(
            subject,
            method,
            better_by=better_by if method == "dreambooth" else 0,
            kind="live" if subject in ("cat", "dog") else "object",
        )
        for subject in SUBJECTS
        for method in ("dreambooth", "lora")
    ]


def test_a_mean_is_over_pictures_prompts_seeds_and_subjects_in_this_order() -> None:
    lost = sheet("dog", blank=1)  # the first prompt has one picture left
    again = sheet("dog", seed=1)
    other = sheet("cat")

    def prompt_means(one: ScoreSheet) -> list[float]:
        values = one.rows["tuned"]["dino"].values
        return [float(np.mean([v.value for v in values if v.number == number])) for number in range(3)]

    expected = np.mean(
        [np.mean([np.mean(prompt_means(lost)), np.mean(prompt_means(again))]), np.mean(prompt_means(other))]
    )
    found = board([lost, again, other]).score("lora", "dino")
    assert found is not None
    assert found.mean == pytest.approx(expected)
    assert found.subjects == 2
    assert found.seeds == (1, 2)


def test_a_subjects_mean_is_its_sheets() -> None:
    one = sheet("dog")
    found = board([one]).score("lora", "dino", subject="dog")
    assert found is not None
    assert found.mean == pytest.approx(one.rows["tuned"]["dino"].mean)


def test_live_and_object_subjects_are_told_apart() -> None:
    found = board(two_methods())
    assert found.kinds == ["all", "live", "object"]
    live, objects, every = (found.score("lora", "dino", kind=kind) for kind in ("live", "object", "all"))
    assert live is not None
    assert objects is not None
    assert every is not None
    assert (live.subjects, objects.subjects, every.subjects) == (2, 5, 7)
    assert every.mean == pytest.approx((2 * live.mean + 5 * objects.mean) / 7)


def test_categories_have_means_of_their_own() -> None:
    one = sheet("dog")
    found = board([one]).score("lora", "dino", category="property")
    assert found is not None
    assert found.mean == pytest.approx(one.rows["tuned"]["dino"].by_category["property"])


def test_numbers_that_were_measured_differently_never_share_a_column() -> None:
    other = sheet("dog", "loha", fingerprint="ffff", profile="oft", encoders={"clip": "CLIP ViT-L/14"})
    found = board([sheet("dog"), other])
    assert [column.title for column in found.columns] == [
        "DINO (quick)",
        "CLIP-T (quick)",
        "DINO (oft)",
        "CLIP-T (oft)",
    ]
    assert found.score("loha", "dino") is None
    assert found.score("lora", "dino-2") is None
    (told,) = [note for note in found.notes if note.startswith("CLIP-T")]
    assert "clip encoder: CLIP ViT-B/32 abababab | CLIP ViT-L/14" in told
    assert not found.comparisons


def test_pairs_are_tested_on_the_subjects_that_both_have() -> None:
    sheets = [each for each in two_methods() if (each.method, each.subject) != ("lora", "can")]
    found = board(sheets)
    pair = next(each for each in found.comparisons if each.column == "dino")
    assert (pair.first, pair.second, pair.unit, pair.units) == ("dreambooth", "lora", "subjects", 6)
    assert pair.difference == pytest.approx(0.1, abs=0.02)
    assert pair.p == 2 / 64
    assert pair.interval is not None
    assert pair.interval.low < pair.difference < pair.interval.high
    (note,) = [note for note in found.notes if "no scores of" in note]
    assert note.startswith("lora has no scores of can. Its means are over 6 of 7")


def test_p_values_are_corrected_for_all_pairs_of_a_metric() -> None:
    methods = {"dreambooth": 0.1, "lora": 0.0, "loha": -0.1}
    found = board(
        [sheet(subject, method, better_by=better) for subject in SUBJECTS for method, better in methods.items()]
    )
    pairs = [each for each in found.comparisons if each.column == "dino"]
    assert len(pairs) == 3
    assert {each.p for each in pairs} == {2 / 128}
    assert {each.p_holm for each in pairs} == {6 / 128}
    assert min(each.p_holm_all for each in pairs) == 12 / 128, "there are two metrics"


def test_few_subjects_are_said_to_prove_nothing() -> None:
    sheets = [sheet(subject, method) for subject in SUBJECTS[:4] for method in ("lora", "loha")]
    notes = board(sheets).notes
    assert any("With 4 subjects the smallest possible p is 0.125" in note for note in notes)
    assert any("Intervals of differences are about these alone" in note for note in notes)
    methods = ("lora", "loha", "lokr", "dora")
    six = [sheet(subject, method) for subject in SUBJECTS[:6] for method in methods]
    assert any("6 pairs the smallest possible corrected p is 0.188" in note for note in board(six).notes)


def test_one_subject_is_tested_over_its_prompts_and_says_so() -> None:
    found = board([sheet("dog", "lora", prompts=8), sheet("dog", "loha", better_by=0.1, prompts=8)])
    pair = found.comparisons[0]
    assert (pair.unit, pair.units) == ("prompts", 8)
    assert any("nothing about others" in note for note in found.notes)
    mean = found.score("lora", "dino")
    assert mean is not None
    assert mean.interval is not None
    assert mean.interval.resampled == ("prompts",)
    assert mean.interval.covers == "other prompts like these; this subject alone"


def without(one: ScoreSheet, *numbers: int) -> ScoreSheet:
    """Whose pictures of these prompts came out blank."""
    rows = {row: dict(metrics) for row, metrics in one.rows.items()}
    for metric, scored in rows["tuned"].items():
        left = [value for value in scored.values if value.number not in numbers]
        rows["tuned"][metric] = replace(scored, values=left, mean=float(np.mean([value.value for value in left])))
    return replace(one, rows=rows)


def shifted(one: ScoreSheet, by: float, *numbers: int) -> ScoreSheet:
    """With harder prompts: these numbers are moved."""
    rows = {row: dict(metrics) for row, metrics in one.rows.items()}
    for metrics in (rows["tuned"], rows["untuned"]):
        for metric, scored in metrics.items():
            values = [v._replace(value=v.value + by * (v.number in numbers)) for v in scored.values]
            metrics[metric] = replace(scored, values=values)
    return replace(one, rows=rows)


def test_who_lost_the_hard_prompts_is_flagged_and_compared_on_the_others() -> None:
    """Worse on every prompt, and without the hard ones better on average."""
    hard = (0, 1, 2)
    sheets = []
    for subject in SUBJECTS:
        sheets.append(shifted(sheet(subject, "lora", prompts=8), -0.3, *hard))
        worse = shifted(sheet(subject, "loha", prompts=8, better_by=-0.05), -0.3, *hard)
        sheets.append(without(worse, *hard))
    found = board(sheets)
    lora, loha = (found.score(name, "dino") for name in ("lora", "loha"))
    assert lora is not None
    assert loha is not None
    assert loha.mean > lora.mean
    assert (lora.lost, loha.lost) == (0, 3 * len(SUBJECTS))
    assert found.is_whole(lora)
    assert not found.is_whole(loha)
    assert not found.is_best(loha)
    (pair,) = [each for each in found.comparisons if each.column == "dino"]
    assert pair.difference == pytest.approx(0.05, abs=0.02)
    assert (pair.prompts, pair.lost) == (5 * len(SUBJECTS), 3 * len(SUBJECTS))
    assert pair.p == 2 / 2 ** len(SUBJECTS)
    assert any(note.startswith("loha has no number of some prompts") for note in found.notes)
    scores, pairs = next(tables(found)), next(each for each in tables(found) if each.key == "comparisons")
    marks = {row.cells[0].value: row.cells[1].mark for row in scores.rows}
    assert marks == {"lora": "", "loha": "†", "untuned model": "", "real photos": ""}
    assert pairs.rows[0].cells[2].mark == "†"
    assert any("what both have" in note for note in pairs.notes)


def test_the_board_says_what_its_intervals_cover() -> None:
    found = board([sheet(subject, method, prompts=8) for subject in SUBJECTS for method in ("lora", "loha")])
    notes = next(tables(found)).notes
    assert notes[0] == "In brackets: 95% intervals. They cover other subjects and other prompts like these."


def test_classes_with_several_subjects_are_drawn_as_wholes() -> None:
    nouns = ["dog", "dog", "cat", "cat", "vase", "can", "clock"]
    sheets = [replace(sheet(f"{noun}-{n}", prompts=8), noun=noun) for n, noun in enumerate(nouns)]
    mean = board(sheets).score("lora", "dino")
    assert mean is not None
    assert mean.interval is not None
    assert mean.interval.resampled == ("classes", "prompts")
    assert mean.interval.covers.startswith("subjects of other classes than these 5")


def test_floors_are_the_same_for_every_run_of_a_subject() -> None:
    found = board([sheet("dog", method, seed=seed) for method in ("lora", "loha") for seed in (0, 1)])
    floor = found.score("untuned model", "dino")
    assert floor is not None
    assert floor.seeds == (1, 1)
    assert found.pictures["untuned model"].asked == 6
    assert found.pictures["lora"].asked == 12


def test_the_same_run_judged_twice_counts_once_and_a_contradiction_is_refused() -> None:
    once, again = sheet("dog"), sheet("dog", profile="careful")
    found = board([once, again]).score("lora", "dino")
    assert found is not None
    assert found.seeds == (1, 1)
    with pytest.raises(UserError, match="their DINO differs"):
        board([once, replace(sheet("dog", better_by=0.01), run="another")])


def test_costs_are_means_over_runs() -> None:
    sheets = [sheet("dog"), sheet("cat")]
    costs = {
        sheets[0].run: {"seconds": 10.0, "peak_memory_bytes": 4.0, "result_bytes": None},
        sheets[1].run: {"seconds": 30.0, "peak_memory_bytes": None, "result_bytes": None},
        "another": {"seconds": 1.0, "peak_memory_bytes": 1.0, "result_bytes": 1.0},
    }
    found = assemble(sheets, title="", costs=costs, draws=100, seed=0)
    assert found.costs == {"lora": {"seconds": 20.0, "peak_memory_bytes": 4.0, "result_bytes": None}}


def test_what_the_sheets_say_is_said_once() -> None:
    sheets = [sheet("dog", notes=["All of them."]), sheet("cat", notes=["All of them.", "One."])]
    notes = board(sheets).notes
    assert notes.count("All of them.") == 1
    assert f"{sheets[1].run}: One." in notes


def test_every_number_is_in_the_csv_and_the_json() -> None:
    found = board(two_methods())
    rows = [line.split(",") for line in as_csv(numbers(found)).splitlines()]
    at = rows[0].index
    mean = found.score("lora", "dino")
    assert mean is not None
    picked = [
        row
        for row in rows
        if (
            row[at("entry")],
            row[at("metric")],
            row[at("kind")],
            row[at("subject")],
            row[at("category")],
            row[at("statistic")],
        )
        == ("lora", "dino", "all", "", "", "mean")
    ]
    assert [float(row[at("value")]) for row in picked] == [mean.mean]
    assert len({tuple(row[:-1]) for row in rows}) == len(rows)
    told = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert told["comparisons"][0]["p"] == found.comparisons[0].p
    assert told["columns"][0]["facts"]["fingerprint"] == found.columns[0].facts.fingerprint


def test_the_same_sheets_make_the_same_numbers() -> None:
    assert as_csv(numbers(board(two_methods()))) == as_csv(numbers(board(two_methods())))
