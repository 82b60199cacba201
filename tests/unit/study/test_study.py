"""Whole studies in small: what they write, that they go on where they were stopped, and what they never look at."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from study_world import SHOTS, SUBJECTS, save

from imprint.errors import ConfigError
from imprint.filters.judging import encoders_of
from imprint.study.cells import Cell, Result
from imprint.study.study import Study

Made = Callable[..., Study]
ALL = "arms=[real,classical,synthetic,truth]"


def truth(world: Path) -> str:
    return f"pictures={{truth:{world / 'truth'}}}"


def results(study: Study) -> dict[Any, Result]:
    study.learn()
    return {cell.place: result for cell, result in study.done()}


def content(study: Study) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study.folder / "study.json").read_text(encoding="utf-8"))
    return found


def numbers(study: Study) -> Any:
    """Without times."""
    return [{key: value for key, value in board.items() if key != "seconds"} for board in content(study)["boards"]]


def refuse_to_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(cell: Cell, tools: object) -> None:
        raise AssertionError(f"{cell.place} is learned again")

    monkeypatch.setattr(Cell, "run", learn)


@pytest.fixture
def finished(made: Made, world: Path) -> Study:
    study = made(ALL, truth(world))
    study.carry_out()
    return study


def test_a_study_ends_with_numbers_tables_and_a_page(finished: Study) -> None:
    found = content(finished)
    assert {(board["learner"], board["shots"]) for board in found["boards"]} == {
        (learner, shots) for learner in ("probe", "resnet") for shots in (1, SHOTS)
    }
    for board in found["boards"]:
        assert list(board["arms"]) == ["real", "classical", "synthetic", "truth"]
        for arm, metrics in board["arms"].items():
            assert list(metrics) == ["accuracy", "average_precision", "ndcg", "nll", "brier", "calibration_error"]
            assert all(set(one["by_subject"]) == set(SUBJECTS) for one in metrics.values())
            assert (metrics["accuracy"]["difference"] is None) == (arm == "classical")
    page = (finished.folder / "study.html").read_text(encoding="utf-8")
    text = (finished.folder / "study.md").read_text(encoding="utf-8")
    for said in ("less classical", "p (Holm)", "gap closed", "dog6", "synthetic"):
        assert said in page
        assert said in text


def test_nothing_is_learned_twice(finished: Study, made: Made, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(finished)
    damaged, other = sorted((finished.folder / "cells").iterdir())[:2]
    kept = other.read_bytes()
    damaged.write_text("{", encoding="utf-8")
    made(ALL, truth(world)).carry_out()
    assert other.read_bytes() == kept
    assert numbers(finished) == [
        {key: value for key, value in board.items() if key != "seconds"} for board in before["boards"]
    ]
    refuse_to_learn(monkeypatch)
    made(ALL, truth(world)).carry_out()
    made("arms=[classical,synthetic]", "shots=[2]").carry_out()
    with pytest.raises(AssertionError, match="learned again"):
        made("arms=[classical,synthetic]", "shots=[2]", "learners.resnet.lr=1e-3").carry_out()


def test_the_same_study_elsewhere_has_the_same_numbers(
    finished: Study, made: Made, world: Path, tmp_path: Path
) -> None:
    again = made(ALL, truth(world), out=tmp_path / "again")
    again.carry_out()
    assert numbers(again) == numbers(finished)
    one, other = results(finished), results(again)
    assert {place: result.weights for place, result in one.items()} == {
        place: result.weights for place, result in other.items()
    }


def test_a_plan_learns_nothing(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_learn(monkeypatch)
    study = made("arms=[classical,synthetic]")
    said = "\n".join(study.plan())
    assert "8 cells" in said
    assert "0 are there" in said
    assert "dog6 (dog): 2 photos, 3 to test on" in said
    assert "synthetic: 1 photo of each, and 2 by img2img" in said
    assert not study.folder.exists()


@pytest.mark.parametrize(
    ("copy", "said"), [(lambda picture: picture, "shows the same"), (ImageOps.mirror, "shows the same")]
)
def test_a_test_picture_among_the_photos_is_refused_by_name(
    made: Made, world: Path, tmp_path: Path, copy: Callable[[Image.Image], Image.Image], said: str
) -> None:
    tests = shutil.copytree(world / "test", tmp_path / "test")
    save(copy(Image.open(world / "photos/dog6/01.png")), tests / "dog6" / "99.png")
    with pytest.raises(ConfigError, match=said) as caught:
        made("arms=[classical,synthetic]", test=tests)
    assert "dog6/99.png" in str(caught.value)


def test_a_part_of_a_test_picture_is_refused_or_told(made: Made, world: Path, tmp_path: Path) -> None:
    tests = shutil.copytree(world / "test", tmp_path / "test")
    save(Image.open(world / "photos/dog6/01.png").crop((4, 6, 56, 58)), tests / "dog6" / "99.png")
    with pytest.raises(ConfigError, match=r"repeats a part of dog6/99.png(.|\n)*parts=tell"):
        made("arms=[classical,synthetic]", test=tests)
    told = list(made("arms=[classical,synthetic]", "parts=tell", test=tests).remarks())
    assert any("dog6/99.png" in remark for remark in told)


def test_a_picture_of_a_known_maker_is_like_a_part_by_chance_and_told(made: Made, world: Path, tmp_path: Path) -> None:
    """It is a child of a photo to learn from; in a folder of which nobody says who made it, it is refused."""
    data = shutil.copytree(world / "data", tmp_path / "data")
    child = json.loads((data / "train/metadata.jsonl").read_text(encoding="utf-8").splitlines()[0])
    part = Image.open(world / "test" / child["subject"] / "00.png").crop((4, 6, 56, 58))
    save(part, data / "train" / child["file_name"])
    told = list(made("arms=[classical,synthetic]", data=f"[{world / 'photos'},{data}]").remarks())
    assert any(f"{child['file_name']} repeats a part of {child['subject']}/00.png" in remark for remark in told)
    truth = shutil.copytree(world / "truth", tmp_path / "truth")
    save(part, truth / child["subject"] / "99.png")
    with pytest.raises(ConfigError, match="99.png repeats a part of"):
        made("arms=[classical,truth]", f"pictures={{mine:{truth}}}", "arms.truth.sources=[mine]")


def test_photos_beyond_the_shots_are_not_looked_at_for_parts(made: Made, world: Path, tmp_path: Path) -> None:
    tests = shutil.copytree(world / "test", tmp_path / "test")
    save(Image.open(world / "photos/dog6/01.png").crop((4, 6, 56, 58)), tests / "dog6" / "99.png")
    assert made("arms=[classical]", "shots=[1]", test=tests).shots == [1]


def test_all_that_is_wrong_with_the_pictures_is_said_at_once(made: Made, world: Path, tmp_path: Path) -> None:
    photos = shutil.copytree(world / "photos", tmp_path / "photos")
    (photos / "cat" / "01.png").unlink()
    tests = shutil.copytree(world / "test", tmp_path / "test")
    shutil.rmtree(tests / "dog")
    save(Image.open(world / "photos/dog6/00.png"), tests / "dog6" / "99.png")
    with pytest.raises(ConfigError) as caught:
        made("arms=[classical,synthetic]", data=f"[{photos},{world / 'data'}]", test=tests)
    said = str(caught.value)
    assert "shots=2" in said
    assert "cat 1" in said
    assert "no photo of dog" in said
    assert "dog6/99.png" in said
    assert "cat/01.png" in said  # of which pictures were made


def test_an_arm_without_pictures_of_a_class_is_refused_for_each_number_of_shots(
    made: Made, world: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(world / "data", tmp_path / "data")
    rows = (data / "train/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if "cat/00.png" not in row]
    (data / "train/metadata.jsonl").write_text("\n".join(kept), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        made("arms=[classical,paste,synthetic]", data=f"[{world / 'photos'},{data}]")
    said = str(caught.value)
    assert "arms.synthetic, shots=1: there is no picture of cat" in said
    assert "arms.synthetic, shots=2" not in said
    assert "arms.paste, shots=1" in said
    assert "arms.paste, shots=2" in said


def test_what_a_run_drew_is_used_where_the_run_saw_the_arms_photos_and_no_other(
    made: Made, world: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(world / "data", tmp_path / "data")
    lines = (data / "train/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) | {"source": "from_noise", "parent": "", "run": "0123456789"} for line in lines]
    (data / "train/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    about = json.loads((data / "synthesis.json").read_text(encoding="utf-8"))
    given = {"data": f"[{world / 'photos'},{data}]"}
    assert any(
        "by from_noise nothing says" in remark for remark in made("arms=[classical,synthetic]", **given).remarks()
    )
    taught = {subject: [f"{subject}/00.png"] for subject in SUBJECTS}
    (data / "synthesis.json").write_text(json.dumps(about | {"photos": taught}), encoding="utf-8")
    study = made("arms=[classical,synthetic]", "shots=[1]", **given)
    assert not any("nothing says" in remark for remark in study.remarks())
    with pytest.raises(ConfigError, match="arms.synthetic, shots=2") as caught:
        made("arms=[classical,synthetic]", **given)
    assert "shots=1" not in str(caught.value)


def test_an_unknown_arm_to_compare_with_is_named(made: Made) -> None:
    with pytest.raises(ConfigError, match="against='classical'"):
        made("arms=[real,synthetic]")


def test_an_encoder_that_cannot_be_tuned_is_refused(made: Made) -> None:
    with pytest.raises(ConfigError, match="learners.tuned.encoder=oracle: miniature oracle cannot be tuned"):
        made("arms=[classical]", "learners.tuned.encoder=oracle", learners=["tuned"])


def test_rivals_of_the_same_class_have_to_be_there(made: Made) -> None:
    with pytest.raises(ConfigError, match="same class as cat"):
        made("arms=[classical,synthetic]", "task=one_vs_all")


def test_who_filtered_by_the_encoder_that_learns_is_told(made: Made, world: Path, tmp_path: Path) -> None:
    study = made("arms=[classical,synthetic]")
    data = shutil.copytree(world / "data", tmp_path / "data")
    about = json.loads((data / "synthesis.json").read_text(encoding="utf-8"))
    for role, is_told in (("clip", True), ("dino", False)):
        looked = {"identity": {role: study.encoders[role].fingerprint}}
        (data / "synthesis.json").write_text(json.dumps(about | {"encoders": looked}), encoding="utf-8")
        told = [*made("arms=[classical,synthetic]", data=f"[{world / 'photos'},{data}]").remarks()]
        assert any("learners.probe: filters chose" in remark for remark in told) is is_told
    assert encoders_of({}, study.encoders) == {}


def test_a_data_set_that_is_not_finished_is_refused(made: Made, world: Path, tmp_path: Path) -> None:
    data = shutil.copytree(world / "data", tmp_path / "data")
    about = json.loads((data / "synthesis.json").read_text(encoding="utf-8"))
    (data / "synthesis.json").write_text(json.dumps(about | {"state": "drawing"}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"data(.|\n)*not finished(.|\n)*imprint synthesise"):
        made("arms=[classical,synthetic]", data=f"[{world / 'photos'},{data}]")


def test_a_data_set_of_another_version_is_refused_by_name(made: Made, world: Path, tmp_path: Path) -> None:
    data = shutil.copytree(world / "data", tmp_path / "data")
    about = json.loads((data / "synthesis.json").read_text(encoding="utf-8"))
    (data / "synthesis.json").write_text(json.dumps(about | {"version": 99}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"synthesis.json(.|\n)*format 99(.|\n)*newer imprint"):
        made("arms=[classical,synthetic]", data=f"[{world / 'photos'},{data}]")


def test_prompts_that_name_places_of_test_photos_are_told(made: Made, world: Path, tmp_path: Path) -> None:
    data = shutil.copytree(world / "data", tmp_path / "data")
    lines = (data / "train/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for number, row in enumerate(rows):
        row["prompt"] = f"a sks {row['class']} {'on the beach' if number % 2 else 'in a room'}"
    (data / "train/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    tests = shutil.copytree(world / "test", tmp_path / "test")
    given = {"data": f"[{world / 'photos'},{data}]", "test": tests}
    assert not any("name places" in remark for remark in made("arms=[classical,synthetic]", **given).remarks())
    said = {"file_name": "00.png", "text": "A dog on the beach at night"}
    (tests / "dog" / "metadata.jsonl").write_text(json.dumps(said), encoding="utf-8")
    [told] = [remark for remark in made("arms=[classical,synthetic]", **given).remarks() if "name places" in remark]
    assert "on the beach" in told
    assert "room" not in told


@pytest.mark.parametrize("photos", ["one", "unequal"])
def test_few_and_unequal_photos_are_enough_for_as_many_shots(
    photos: str, made: Made, world: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(world / "photos", tmp_path / "photos")
    for subject in SUBJECTS if photos == "one" else ["cat"]:
        (folder / subject / "01.png").unlink()
    study = made("arms=[classical]", "learners=[probe]", "shots=[1]", data=f"[{folder}]")
    study.carry_out()
    assert content(study)["boards"]
    with pytest.raises(ConfigError, match=r"shots=2(.|\n)*cat 1"):
        made("arms=[classical]", "learners=[probe]", "shots=[1,2]", data=f"[{folder}]")
