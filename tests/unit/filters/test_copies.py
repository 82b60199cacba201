"""Planted copies of the miniature's photos are found among true pictures."""

import io

import pytest
from candidates import candidate, context, known, verdicts
from PIL import Image, ImageOps

from imprint.filters.base import Context, Verdict
from imprint.filters.copies import Copies
from imprint.miniature.canvas import stream
from imprint.miniature.references import references
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import random_pose
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import named

PLACES = ("beach", "snow", "jungle", "mountain", "city")
COPIES = Copies(crop=0.9)


@pytest.fixture(scope="module")
def photos() -> Context:
    """Of two dogs and a cat, the last of each to test with."""
    found = []
    for name, noun in (("dog6", "dog"), ("dog", "dog"), ("cat2", "cat")):
        own = references(name)
        found += [
            known(f"{name}-{number}", name, noun, picture=picture, trained_on=number < len(own) - 1)
            for number, picture in enumerate(own)
        ]
    return context(found)


def photo(context: Context, key: str) -> Image.Image:
    return next(each.photo.load() for each in context.known if each.photo.key == f"{key}.jpg")


def jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=70)
    return Image.open(buffer).convert("RGB")


PLANTED = {
    "as it is": lambda picture: picture,
    "jpeg": jpeg,
    "mirror": ImageOps.mirror,
    "larger": lambda picture: picture.resize((200, 200), Image.Resampling.BICUBIC),
    "crop": lambda picture: picture.crop((6, 4, 56, 54)),
    "mirrored crop as jpeg": lambda picture: jpeg(ImageOps.mirror(picture.crop((10, 14, 58, 62)))),
}


@pytest.mark.parametrize("how", PLANTED)
@pytest.mark.parametrize("which", ["dog6-0", "dog6-last"])
def test_a_planted_copy_is_rejected(photos: Context, how: str, which: str) -> None:
    tested = next(each for each in photos.known if each.subject == "dog6" and not each.photo.trained_on)
    key = which if which != "dog6-last" else tested.photo.key.removesuffix(".jpg")
    verdict = COPIES.judge([candidate("copy", picture=PLANTED[how](photo(photos, key)))], photos, {})[0]
    assert isinstance(verdict, Verdict)
    assert not verdict.passed
    assert f"{key}.jpg" in verdict.reason
    assert ("to test with" in verdict.reason) == (which == "dog6-last")


def test_a_photo_within_a_picture_is_a_copy(photos: Context) -> None:
    framed = ImageOps.expand(photo(photos, "dog6-1"), border=16, fill=(40, 90, 60))
    assert [kept for _, kept in verdicts(COPIES, [candidate("framed", picture=framed)], photos)] == [False]


def test_new_true_pictures_are_kept(photos: Context) -> None:
    scenes = [
        Scene(named(name), place, pose=random_pose(stream("poses", name, place)), seed=7)
        for name in ("dog6", "dog")
        for place in PLACES
    ]
    pictures = [candidate(str(number), scene.subject.name, picture=draw(scene)) for number, scene in enumerate(scenes)]
    assert all(kept for _, kept in verdicts(COPIES, pictures, photos))


def test_a_picture_may_be_like_the_photo_that_it_was_made_from_but_not_the_same(photos: Context) -> None:
    parent = photo(photos, "dog6-1")
    changed = Image.blend(parent, photo(photos, "dog6-2"), 0.2)
    made = candidate("made", picture=changed, parent="dog6-1.jpg", source="img2img", strength=0.25)
    of_another = candidate("other", picture=changed, parent="dog6-2.jpg")
    same = candidate("same", picture=parent.resize((96, 96)), parent="dog6-1.jpg")
    assert [kept for _, kept in verdicts(COPIES, [made, of_another, same], photos)] == [True, False, False]


def test_without_photos_nothing_is_a_copy() -> None:
    assert verdicts(COPIES, [candidate("any", picture=Image.new("RGB", (8, 8)))], context([])) == [(0, True)]
