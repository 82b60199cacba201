"""imprint masks: beside photos, and never over a mask that is there."""

from pathlib import Path

import pytest
from composed import compose
from PIL import Image, ImageDraw
from tiny_segmenters import CLIPSEG_SIDE, tiny_clipseg

from imprint.data.estimated_masks import estimator_of
from imprint.errors import ConfigError, UserError
from imprint.labelled.class_folders import class_folder_rows
from imprint.verbs.masks import masks


def photos(folder: Path, count: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = Image.new("RGB", (64, 48), (200, 190, 180))
        ImageDraw.Draw(picture).ellipse((20, 10, 40 + number, 40), fill=(150, 30, 40))
        picture.save(folder / f"{number}.png")
    return folder


def written(folder: Path, *settings: str) -> list[str]:
    found = masks(compose("masks", [f"photos={folder}", "accelerator=cpu", *settings]))
    return sorted(file.relative_to(folder).as_posix() for file in found)


def test_a_mask_is_written_beside_each_photo_that_has_none(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    drawn = Image.new("L", (64, 48), 255)
    drawn.save(folder / "0.mask.png")
    (folder / "masks").mkdir()
    drawn.save(folder / "masks" / "1.png")
    before = {file: file.read_bytes() for file in folder.rglob("*.png")}
    assert written(folder, "dry_run=true") == []
    assert written(folder) == ["2.mask.png"]
    assert {file: file.read_bytes() for file in before} == before
    assert estimator_of(folder / "2.mask.png").startswith("border ")
    assert estimator_of(folder / "0.mask.png") == ""
    assert written(folder) == []


def test_folders_of_subjects_say_later_what_was_estimated(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        photos(tmp_path / "train" / name, 1)
    Image.new("L", (64, 48), 255).save(tmp_path / "train/cat/0.mask.png")
    assert written(tmp_path) == ["train/dog/0.mask.png"]
    cat, dog = class_folder_rows(tmp_path)["train"]
    assert (cat.label_quality, cat.estimator) == ("estimated", "")
    assert dog.label_quality == "estimated"
    assert dog.estimator.startswith("border ")


def test_a_photo_in_which_nothing_is_found_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = photos(tmp_path / "photos", 1)
    Image.new("RGB", (64, 64), (7, 7, 7)).save(folder / "plain.png")
    assert written(folder) == ["0.mask.png"]
    assert "plain.png" in caplog.text


def test_what_is_shown_must_be_said_where_it_is_read(tmp_path: Path) -> None:
    source = tiny_clipseg(tmp_path / "clipseg")
    settings = ["masks=clipseg", f"masks.source={source}", f"masks.transform.resize={CLIPSEG_SIDE}"]
    with pytest.raises(ConfigError, match="noun=dog"):
        written(photos(tmp_path / "photos"), *settings)
    assert written(tmp_path / "photos", *settings, "noun=dog")


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        written(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no picture here"):
        written(tmp_path / "empty")
    folder = photos(tmp_path / "photos", 1)
    (folder / "torn.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match="torn.png"):
        written(folder)
    assert not list(folder.glob("*.mask.png"))
    with pytest.raises(UserError, match=r"masks.source(.|\n)*no folder"):
        written(folder, "masks=sam", f"masks.source={tmp_path / 'nowhere'}")
