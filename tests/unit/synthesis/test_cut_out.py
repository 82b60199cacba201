"""A subject that is cut out, and put somewhere else."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imprint.synthesis.cut_out import cut_out, placed

PHOTO = Image.new("RGB", (40, 40), (0, 0, 255))
MASK = Image.new("L", PHOTO.size)
ImageDraw.Draw(MASK).rectangle((10, 5, 29, 14), fill=255)  # 20 x 10
ImageDraw.Draw(PHOTO).rectangle((10, 5, 29, 14), fill=(255, 0, 0))
GREEN = Image.new("RGB", (60, 60), (0, 255, 0))


def box(mask: Image.Image) -> tuple[int, int, int, int]:
    found = mask.point(lambda level: 255 * (level > 127)).getbbox()
    assert found
    return found


def test_it_is_as_large_as_it_was_asked_to_be_and_keeps_its_shape() -> None:
    for number in range(20):
        _, mask = placed(cut_out(PHOTO, MASK), GREEN, (0.3, 0.5), "a", number, soft=0.0, flip=False)
        left, top, right, bottom = box(mask)
        assert 0.3 * 60 - 1 <= right - left <= 0.5 * 60 + 1
        assert (right - left) / (bottom - top) == pytest.approx(2, abs=0.25)


def test_nothing_of_the_photo_comes_along_and_the_place_stays() -> None:
    picture, mask = placed(cut_out(PHOTO, MASK), GREEN, (0.5, 0.5), "a", soft=0.0, flip=False)
    pixels, inside = np.asarray(picture), np.asarray(mask)
    assert (pixels[inside == 0] == (0, 255, 0)).all()
    assert (pixels[inside == 255] == (255, 0, 0)).all()
    assert (pixels[..., 2] == 0).all()


def test_a_soft_edge_fades_inwards() -> None:
    hard, mask = placed(cut_out(PHOTO, MASK), GREEN, (0.8, 0.8), "a", soft=0.0, flip=False)
    soft, same_mask = placed(cut_out(PHOTO, MASK), GREEN, (0.8, 0.8), "a", soft=0.05, flip=False)
    assert mask.tobytes() == same_mask.tobytes()
    changed = np.any(np.asarray(hard) != np.asarray(soft), axis=2)
    assert changed.any()
    assert not changed[np.asarray(mask) <= 127].any()


def test_names_give_places() -> None:
    def at(*name: str | int) -> tuple[int, int, int, int]:
        return box(placed(cut_out(PHOTO, MASK), GREEN, (0.3, 0.3), *name, soft=0.0, flip=False)[1])

    assert at("a") == at("a")
    assert len({at("a", number) for number in range(10)}) > 5


def test_half_are_mirrored() -> None:
    ImageDraw.Draw(two := PHOTO.copy()).rectangle((10, 5, 19, 14), fill=(255, 255, 255))
    lefts = []
    for number in range(30):
        picture, mask = placed(cut_out(two, MASK), GREEN, (0.5, 0.5), number, soft=0.0, flip=True)
        left, top, _, _ = box(mask)
        lefts.append(picture.getpixel((left + 3, top + 3)) == (255, 255, 255))
    assert 5 < sum(lefts) < 25
