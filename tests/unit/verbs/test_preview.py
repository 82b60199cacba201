"""imprint preview: the page of what a training will see."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from imprint.config import compose
from imprint.errors import ConfigError
from imprint.verbs.preview import preview
from imprint.verbs.preview.seen import SeenPicture, SeenSubject


def noise(seed: int, size: tuple[int, int]) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(levels)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        noise(index, (96, 96)).save(folder / f"{index}.png")
    return folder


def previewed(photos: Path, *overrides: str) -> tuple[str, SeenSubject]:
    out = f"outputs={photos.parent}/outputs"
    given = ["dataset=folder", f"dataset.path={photos}", "dataset.class_noun=dog", "method=lora", out]
    page, [subject] = preview(compose("preview", [*given, *overrides]))
    return page.read_text(encoding="utf-8"), subject


def named(subject: SeenSubject, name: str) -> SeenPicture:
    [found] = [picture for picture in subject.pictures if picture.name == name]
    return found


def test_each_picture_is_seen_with_its_captions(photos: Path) -> None:
    (photos / "1.txt").write_text("{identifier} {noun} on a <rug>")
    page, subject = previewed(photos, "dataset.flip=true", "preview.views=2")
    assert [len(picture.views) for picture in subject.pictures] == [2, 2, 2]
    assert {view.caption for view in named(subject, "1.png").views} == {f"{subject.identifier} dog on a <rug>"}
    assert named(subject, "0.png").views[0].caption == f"a {subject.identifier} dog"
    assert "on a &lt;rug&gt;" in page
    assert "<rug>" not in page
    assert page.count('<img src="data:image/webp') == 9
    assert not re.search(r"""(?:src|href)=["']https?:""", page)


def test_what_is_cut_enlarged_or_a_copy_is_told(photos: Path) -> None:
    noise(7, (192, 64)).save(photos / "wide.png")
    noise(8, (32, 32)).save(photos / "small.png")
    with Image.open(photos / "0.png") as picture:
        ImageOps.mirror(picture).save(photos / "mirror.png")
    _, subject = previewed(photos)
    assert named(subject, "wide.png").remarks == ["67% of it is never seen"]
    assert named(subject, "small.png").remarks == ["enlarged 2.0 times: smaller than it is trained at"]
    assert named(subject, "mirror.png").remarks == ["a copy of 0.png"]
    assert named(subject, "1.png").remarks == []
    assert "6 pictures" in subject.summary


def test_held_out_pictures_are_shown_apart(photos: Path) -> None:
    page, subject = previewed(photos, "dataset.holdout=1")
    assert [picture.is_trained for picture in subject.pictures].count(False) == 1
    assert "2 pictures" in subject.summary
    assert "1 held out" in page


def test_a_mask_darkens_what_counts_less(photos: Path) -> None:
    mask = Image.new("L", (96, 96))
    mask.paste(255, (0, 0, 48, 96))
    mask.save(photos / "0.mask.png")
    _, with_mask = previewed(photos)
    _, without = previewed(photos, "dataset.masks=off")
    assert named(with_mask, "0.png").views[0].image != named(without, "0.png").views[0].image
    assert named(with_mask, "1.png").views[0].image == named(without, "1.png").views[0].image


def test_mistakes_are_those_of_training(photos: Path) -> None:
    with pytest.raises(ConfigError, match=r"hparams\.steps"):
        previewed(photos, "hparams.steps=-3")


def test_many_pictures_are_counted_and_some_shown(photos: Path) -> None:
    page, subject = previewed(photos, "preview.pictures=2")
    assert len(subject.pictures) == 2
    assert "3 pictures" in subject.summary
    assert "1 more pictures are not shown" in page
