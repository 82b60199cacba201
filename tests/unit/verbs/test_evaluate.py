"""The verb: what it takes, what it refuses, and pictures from elsewhere from end to end."""

from pathlib import Path

import numpy as np
import pytest
from composed import compose
from PIL import Image
from small_runs import draw_pictures

from imprint.errors import UserError
from imprint.evaluation.score_sheet import ScoreSheet, table_of_means
from imprint.locations import locate
from imprint.tables.terminal import as_text
from imprint.verbs.evaluate import evaluate

PROMPTS = ["a sks dog in the snow", "a red sks dog"]


@pytest.fixture
def places(pictures: Path, tmp_path: Path) -> list[str]:
    """Two pictures of each of two prompts, as the verb is given them."""
    drawn = draw_pictures(tmp_path / "drawn", count=4, size=(48, 48))
    for index in range(4):
        (drawn / f"{index}.png").rename(drawn / f"{index // 2}-x{index}.png")
    (tmp_path / "prompts.txt").write_text("\n".join(PROMPTS), encoding="utf-8")
    return [
        f"images={drawn}",
        f"prompts={tmp_path / 'prompts.txt'}",
        f"references={pictures}",
        "noun=dog",
        "identifier=sks",
        "encoders=mini",
        "accelerator=cpu",
    ]


def scored(*settings: str) -> ScoreSheet:
    [file] = evaluate(compose("evaluate", list(settings)))
    return ScoreSheet.read(file)


def refusal(*settings: str) -> str:
    with pytest.raises(UserError) as caught:
        evaluate(compose("evaluate", list(settings)))
    return str(caught.value)


def test_pictures_from_elsewhere_are_scored(places: list[str], tmp_path: Path) -> None:
    sheet = scored(*places)
    assert set(sheet.rows) == {"tuned", "real", "copies"}
    assert set(sheet.rows["tuned"]) == {"dino", "clip_i", "clip_t"}
    assert sheet.prompts["subject"][1] == ("a red {identifier} {noun}", "property")
    assert any("pres" in note and "left out" in note for note in sheet.notes)
    assert list((tmp_path / "drawn" / "scores").glob("*.csv"))
    table = as_text(table_of_means(sheet))
    assert "4 of 4" in table
    assert "pictures (as given)" in table
    assert sheet.metrics["dino"].fingerprint in table


def test_a_picture_scores_by_what_it_shows(places: list[str], pictures: Path, tmp_path: Path) -> None:
    """Photos of the subject are more like the subject than noise is."""
    before = scored(*places).rows["tuned"]["dino"].mean
    for index, file in enumerate(sorted((tmp_path / "drawn").glob("*.png"))):
        noise = Image.effect_noise((48, 48), 90 + index).convert("RGB")
        noise.save(file)
    assert scored(*places).rows["tuned"]["dino"].mean < before


def test_the_profiles_own_prompts_are_meant_where_none_are_given(places: list[str], tmp_path: Path) -> None:
    files = sorted((tmp_path / "drawn").glob("*.png"))
    for number, file in zip((0, 20, 1, 24), files, strict=True):
        file.rename(file.with_name(f"{number}-x.png"))
    rest = [place for place in places if not place.startswith("prompts")]
    assert "missing" in refusal(*rest)
    sheet = scored(*rest, "missing=count", f"outputs={tmp_path / 'out'}")
    count = sheet.pictures["tuned"]
    assert (count.asked, count.drawn, count.failed, count.blank) == (25, 4, 0, 0)
    assert "4 of 25, 21 missing" in as_text(table_of_means(sheet))
    assert set(sheet.rows["tuned"]["dino"].by_category) == {"recontextualisation", "property"}


def test_unusable_pictures_are_refused_or_counted(places: list[str], tmp_path: Path) -> None:
    (tmp_path / "drawn" / "0-x0.png").write_bytes(b"no picture")
    Image.new("RGB", (48, 48)).save(tmp_path / "drawn" / "1-x2.png")
    said = refusal(*places)
    assert "0-x0.png" in said
    count = scored(*places, "missing=count").pictures["tuned"]
    assert (count.asked, count.drawn, count.failed, count.blank) == (4, 2, 1, 1)


def test_everything_that_stands_in_the_way_is_said_at_once(places: list[str], tmp_path: Path) -> None:
    (tmp_path / "drawn" / "0-x0.png").rename(tmp_path / "drawn" / "9-x0.png")
    said = refusal(*places, "evaluation.metrics.dino.encoder=dinov9", "identifier=zwx")
    for expected in ("dinov9", "9-x0.png", "missing", "zwx"):
        assert expected in said


def test_pictures_of_the_drawn_world_are_judged_by_its_truth_and_others_refused(
    places: list[str], pictures: Path, tmp_path: Path
) -> None:
    metrics = ", ".join(f"evaluation.metrics.{name}" for name in ("class", "place", "attribute", "individual"))
    assert f"{metrics}: the truth is known of the drawn world's individuals" in refusal(*places, "evaluation=truth")
    mini = f"references={locate('pkg://imprint.miniature/photos/dog6')}"
    scores = scored(*places, mini, "evaluation=truth").rows
    assert {"class", "place", "attribute", "individual"} <= set(scores["tuned"])
    assert scores["real"]["individual"].mean == scores["real"]["class"].mean == 1
    assert scores["copies"]["individual"].mean == 1
    assert len(scores["tuned"]["place"].values) == len(scores["tuned"]["attribute"].values) == 2


@pytest.fixture
def of_class(tmp_path: Path) -> list[str]:
    """Four pictures of the class by another program's model, and by it before training; the last two differ."""
    for name, noises in (("class", (1, 2, 30, 40)), ("untuned", (1, 2, 3, 4))):
        (tmp_path / name).mkdir()
        for index, noise in enumerate(noises):
            levels = np.random.default_rng(noise).integers(0, 256, (48, 48, 3), dtype=np.uint8)
            Image.fromarray(levels).save(tmp_path / name / f"any-{index}.png")
    return [f"class_images={tmp_path / 'class'}", f"untuned_class_images={tmp_path / 'untuned'}"]


def test_class_pictures_of_another_program_have_pres_kid_and_drift(places: list[str], of_class: list[str]) -> None:
    kid = ["+metric@evaluation.metrics.kid=kid", "evaluation.metrics.kid.subset_size=3"]
    drift = ["+metric@evaluation.metrics.drift=drift", "evaluation.metrics.drift.sets=[class]"]
    sheet = scored(*places, *of_class, *kid, *drift)
    assert {"pres", "kid", "drift"} <= set(sheet.rows["tuned"])
    assert [round(value.value, 4) == 0 for value in sheet.rows["tuned"]["drift"].values] == [True, True, False, False]
    assert set(sheet.rows["untuned"]) == {"pres"}
    assert (sheet.pictures["tuned"].drawn, sheet.pictures["untuned"].drawn) == (8, 4)
    assert not sheet.notes


def test_class_pictures_that_cannot_be_used_are_refused(places: list[str], of_class: list[str], tmp_path: Path) -> None:
    kid = "+metric@evaluation.metrics.kid=kid"
    assert "needs 21 pictures of class prompts, not 4. Give more" in refusal(*places, *of_class, kid)
    assert "quick has no class prompts" in refusal(*places, *of_class, "evaluation=quick")
    assert "class_images=nowhere: there is no such folder" in refusal(*places, "class_images=nowhere")
    (tmp_path / "untuned" / "any-3.png").unlink()
    assert "give equally many of both" in refusal(*places, *of_class)


def test_what_is_transparent_is_white_in_pictures_as_in_photos(
    places: list[str], pictures: Path, tmp_path: Path
) -> None:
    photo = sorted(pictures.glob("*.png"))[0]
    with Image.open(photo) as opened:
        see_through = opened.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(see_through.size))
    (tmp_path / "references").mkdir()
    see_through.save(tmp_path / "references" / "0.png")
    for index, file in enumerate(sorted((tmp_path / "drawn").glob("*.png"))):
        see_through.save(file, compress_level=index)  # other bytes, the same picture
    sheet = scored(*places, f"references={tmp_path / 'references'}", "evaluation.metrics.dino.self_pairs=include")
    assert [value.value for value in sheet.rows["tuned"]["dino"].values] == pytest.approx([1.0] * 4, abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([], "either run=FOLDER"),
        (["run=a", "images=b"], "either run=FOLDER"),
        (["images=a"], "references is missing"),
        (["run=a", "noun=dog"], "noun='dog': this is for images"),
        (["run=a", "evaluation=none"], "evaluation=none scores nothing"),
        (["run=nowhere"], "no finished run"),
        (["run=a", "+evaluation.metrics.dino.referenses=all"], "unknown key; did you mean references"),
        (["images=nowhere", "references=x", "noun=dog"], "images=nowhere: there is no such folder"),
        (["images=a", "references=x", "noun=dog", "base=b"], "base='b': this is for run=FOLDER"),
    ],
)
def test_what_the_verb_refuses(settings: list[str], said: str) -> None:
    assert said in refusal(*settings)


def test_one_reference_is_enough_where_none_is_compared_with_itself(places: list[str], tmp_path: Path) -> None:
    single = draw_pictures(tmp_path / "single", count=1)
    sheet = scored(*places, f"references={single}")
    assert "dino" in sheet.rows["tuned"]
    assert "real" not in sheet.rows
    assert any("real: dino could not be measured" in note for note in sheet.notes)
