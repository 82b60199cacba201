"""Copies of a picture are told from other pictures of the same thing, on the miniature's photos."""

import io
import random
from collections.abc import Callable

import pytest
from PIL import Image, ImageOps

from imprint.miniature.references import references
from imprint.pictures.likeness import SMALLEST_CROP, Pixels, crop_likeness, either_way, is_copy, nearest_same

SUBJECTS = ("dog6", "dog", "teapot", "shiny_sneaker", "cat")
THRESHOLD = 0.9  # conf/filter/copies.yaml


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    return [photo for subject in SUBJECTS for photo in references(subject)]


def jpeg(picture: Image.Image, quality: int = 60) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def crop(picture: Image.Image, share: float, draws: random.Random) -> Image.Image:
    side = round(picture.width * share)
    left, top = (draws.randint(0, picture.width - side) for _ in range(2))
    part = picture.crop((left, top, left + side, top + side))
    return part.resize(picture.size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    "change",
    [
        Image.Image.copy,
        jpeg,
        ImageOps.mirror,
        lambda picture: jpeg(ImageOps.mirror(picture)),
        lambda picture: picture.resize((400, 300), Image.Resampling.BICUBIC),
        lambda picture: picture.resize((64, 64), Image.Resampling.LANCZOS),
    ],
)
def test_a_photo_saved_again_or_mirrored_is_the_same(
    photos: list[Image.Image], change: Callable[[Image.Image], Image.Image]
) -> None:
    larger = [photo.resize((256, 256), Image.Resampling.BICUBIC) for photo in photos]  # as large as photos are at least
    found = nearest_same([change(photo) for photo in larger], larger)
    assert found == [[number] for number in range(len(photos))]


def test_without_pictures_there_is_nothing_alike(photos: list[Image.Image]) -> None:
    assert nearest_same([], photos) == []
    assert nearest_same(photos[:2], []) == [[], []]


def test_different_pictures_of_a_subject_are_no_crops_of_one_another(photos: list[Image.Image]) -> None:
    likeness_MN = crop_likeness(Pixels(photos), Pixels(photos), threshold=THRESHOLD)
    assert likeness_MN.diagonal().min() > 0.99
    assert likeness_MN.fill_diagonal_(0).max() < THRESHOLD


@pytest.mark.parametrize("share", [0.95, 0.87, 0.75, 0.6, SMALLEST_CROP])
def test_crops_are_found(photos: list[Image.Image], share: float) -> None:
    draws = random.Random(0)
    parts = [jpeg(crop(photo, share, draws)) for photo in photos]
    likeness_MN = crop_likeness(Pixels(photos), Pixels(parts), threshold=THRESHOLD)
    own = likeness_MN.diagonal()
    assert (own >= THRESHOLD).float().mean() > 0.9
    assert (likeness_MN.argmax(dim=0).tolist()) == list(range(len(photos)))


def test_a_flat_picture_is_like_nothing(photos: list[Image.Image]) -> None:
    flat = Pixels([Image.new("RGB", (64, 64), "white"), Image.new("RGB", (64, 64), (9, 9, 9))])
    assert crop_likeness(Pixels(photos), flat, threshold=THRESHOLD).abs().max() < 0.5
    assert crop_likeness(flat, Pixels(photos), threshold=THRESHOLD).abs().max() < 0.5


def test_crops_are_copies_piece_by_piece(photos: list[Image.Image]) -> None:
    draws = random.Random(1)
    parts = [jpeg(ImageOps.mirror(crop(photo, share, draws)), 80) for photo in photos for share in (0.95, 0.75, 0.6)]
    wholes, cut = Pixels(photos), Pixels(parts)
    found = [is_copy(wholes, cut, number // 3, number) for number in range(len(parts))]
    assert sum(found) / len(found) > 0.9


def test_one_subject_in_one_plain_place_is_no_copy() -> None:
    """The subject fits, and correlates, but what little there is around it differs."""
    plain = Image.new("RGB", (96, 96), (240, 240, 235))
    subject = references("dog6")[0].resize((48, 48)).crop((8, 8, 40, 40))
    pictures = []
    for places in (((6, 8), (60, 70)), ((64, 12), (10, 66))):
        picture = plain.copy()
        picture.paste(subject, (32, 32))
        for left, top in places:
            picture.paste((150, 150, 170), (left, top, left + 14, top + 8))
        pictures.append(picture)
    one, other = Pixels(pictures[:1]), Pixels(pictures[1:])
    assert either_way(one, other, threshold=0.8).item() >= 0.8
    assert not is_copy(one, other, 0, 0)
    assert is_copy(one, one, 0, 0)
