"""Reference pictures on disk, in the DreamBooth data set's layout, with their truth."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from imprint.config import conf_folder
from imprint.miniature.export import export, write_empty_places
from imprint.miniature.paper_prompts import LIVE_PROMPTS, OBJECT_PROMPTS
from imprint.miniature.places import PLACES
from imprint.miniature.references import references, scenes
from imprint.miniature.renderer import draw, engraving_mask, mask
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import from_seed, named
from imprint.miniature.wording import RARE_IDENTIFIERS


def test_a_folder_a_subject_with_numbered_pictures_and_their_truth(tmp_path: Path) -> None:
    export(tmp_path, ["dog6", "cat:17"], suffix=".png", places=[])
    for who, noun in ((named("dog6"), "dog"), (from_seed("cat", 17), "cat")):
        folder, pictures = tmp_path / "dataset" / who.name, references(who)
        assert [p.name for p in sorted(folder.glob("*.png"))] == [f"{i:02d}.png" for i in range(len(pictures))]
        rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
        for row, picture in zip(rows, pictures, strict=True):
            with Image.open(folder / row["file_name"]) as written:
                assert written.tobytes() == picture.tobytes()
            assert row["class"] == row["truth"]["subject"]["noun"] == noun
            assert noun in row["text"]
            assert not set(row["text"].split()) & set(RARE_IDENTIFIERS)


def test_pictures_are_usually_jpeg_as_in_the_data_set(tmp_path: Path) -> None:
    written = export(tmp_path, ["teapot"], suffix=".jpg", places=[])
    assert {path.suffix for path in written} == {".jpg"}
    with Image.open(tmp_path / "dataset" / "teapot" / "00.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (64, 64))


def test_larger_pictures_show_the_same_scenes_and_say_where_the_engraving_is(tmp_path: Path) -> None:
    export(tmp_path, ["dog6"], suffix=".png", places=["snow"], masks=True, size=128)
    [scene, *_] = scenes("dog6")
    photos = tmp_path / "dataset" / "dog6"
    for path, picture in (
        (photos / "00.png", draw(scene, 128)),
        (photos / "00.mask.png", mask(scene, 128)),
        (tmp_path / "engravings" / "dog6" / "00.png", engraving_mask(scene, 128)),
        (tmp_path / "true" / "dog6" / "snow.png", draw(Scene(named("dog6"), "snow"), 128)),
    ):
        with Image.open(path) as written:
            assert written.tobytes() == picture.tobytes(), path
    write_empty_places(tmp_path / "places", 1, size=128)
    with Image.open(tmp_path / "places" / "snow-0.png") as empty:
        assert empty.size == (128, 128)


def test_true_pictures_are_what_the_renderer_draws_there(tmp_path: Path) -> None:
    export(tmp_path, ["teapot", "style_oil_painting"], suffix=".jpg", places=["snow", "eiffel tower"])
    assert {path.name for path in (tmp_path / "true").rglob("*.png")} == {"snow.png", "eiffel_tower.png"}
    with Image.open(tmp_path / "true" / "teapot" / "snow.png") as written:
        assert written.tobytes() == draw(Scene(named("teapot"), "snow")).tobytes()


def test_empty_places_are_what_subjects_stand_in(tmp_path: Path) -> None:
    written = write_empty_places(tmp_path, 2)
    assert len(written) == 2 * len(PLACES)
    with Image.open(tmp_path / "beach-1.png") as picture:
        empty = np.asarray(picture, dtype=int)
    scene = Scene(named("dog6"), "beach", seed=1)
    assert not np.abs(np.asarray(draw(scene), dtype=int) - empty)[:6].any()
    assert (np.abs(np.asarray(draw(scene), dtype=int) - empty)[np.asarray(mask(scene)) == 255] > 0).any()


def test_more_photos_fresh_pictures_and_true_ones_in_several_poses(tmp_path: Path) -> None:
    export(tmp_path, ["dog6"], suffix=".png", places=["snow"], photos=9, each=3, fresh=4)
    pixels = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.png")}
    assert len(set(pixels.values())) == len(pixels) == 9 + 3 + 4
    assert {name for name in pixels if name.startswith("true/")} == {
        f"true/dog6/{name}.png" for name in ("snow", "snow-1", "snow-2")
    }
    export(tmp_path / "fewer", ["dog6"], suffix=".png", places=["snow"], each=2, fresh=2)
    for path in (tmp_path / "fewer").rglob("*.png"):
        name = path.relative_to(tmp_path / "fewer").as_posix()
        if not name.startswith("dataset/"):
            assert path.read_bytes() == pixels[name]


def test_the_truth_of_every_picture_is_in_one_file(tmp_path: Path) -> None:
    written = export(tmp_path, ["dog6", "stuffed_animal:2"], suffix=".jpg", places=["beach"])
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert {tmp_path / path for path in truth["pictures"]} == set(written)
    beach = truth["pictures"]["true/stuffed_animal_2/beach.png"]
    assert (beach["subject"], beach["place"]) == ("stuffed_animal_2", "beach")
    assert truth["subjects"]["stuffed_animal_2"]["noun"] == "stuffed animal"


def test_classes_and_prompts_lie_beside_the_subjects(tmp_path: Path) -> None:
    export(tmp_path, ["dog6", "shiny_sneaker"], suffix=".jpg", places=[])
    text = (tmp_path / "dataset" / "prompts_and_classes.txt").read_text(encoding="utf-8")
    assert "subject_name,class\ndog6,dog\nshiny_sneaker,sneaker\n" in text
    assert "'a {0} {1} in the jungle'.format(unique_token, class_token)," in text


def test_the_prompts_are_the_papers() -> None:
    paper = yaml.safe_load((conf_folder() / "prompt_set" / "dreambooth.yaml").read_text(encoding="utf-8"))["prompts"]
    for ours, kind in ((OBJECT_PROMPTS, "object"), (LIVE_PROMPTS, "live")):
        theirs = [text for category in paper[kind].values() for text in category]
        assert len(ours) == 25
        assert {text.format("{identifier}", "{noun}") for text in ours} == set(theirs)


@pytest.mark.parametrize("name", ["dog4", "dog:x", "horse:1"])
def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyError, match=re.escape(name)):
        export(tmp_path / "out", ["dog6", name], suffix=".jpg", places=[])
    assert not (tmp_path / "out").exists()
