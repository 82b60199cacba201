"""The same scene at any size, with detail that only a large picture shows, the same for an individual everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imprint.miniature.canvas import SIZE
from imprint.miniature.figures.engraving import strokes
from imprint.miniature.renderer import draw, draw_alone, draw_empty, engraving_mask, mask
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import FORMS, STYLES, UNSEEN_STYLES, Pose, Scene
from imprint.miniature.subjects import NAMED_SUBJECTS, from_seed, named

LARGE = 128
SMOOTH = [Scene(named(name), place, seed=3) for name, place in (("can", "beach"), ("candle", "city"), ("vase", "room"))]


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=np.float64)


def psnr(one: Image.Image, other: Image.Image, inside: np.ndarray | None = None) -> float:
    error = (pixels(one) - pixels(other)) ** 2
    return float(10 * np.log10(255**2 / (error if inside is None else error[inside]).mean()))


def averaged(picture: Image.Image) -> Image.Image:
    return picture.resize((SIZE, SIZE), Image.Resampling.BOX)


def inside(picture: Image.Image, above: int = 127) -> np.ndarray:
    return np.asarray(picture) > above


# In decibels. The last three choose among few colours at each pixel: an edge moved by a fraction of one changes much.
@pytest.mark.parametrize(
    ("style", "least"),
    [
        ("drawing", 33), ("pencil sketch", 32), ("watercolour", 31), ("pixel art", 30), ("oil painting", 19),
        ("blueprint", 19), ("risograph", 18),
    ],
)  # fmt: skip
def test_a_large_picture_shrunk_is_the_small_one_in_every_style(style: str, least: float) -> None:
    for scene in SMOOTH:
        styled = replace(scene, style=style)
        assert psnr(averaged(draw(styled, LARGE)), draw(styled)) > least, scene.place


@pytest.mark.parametrize("attribute", ["shiny", "wet", "cube shaped", "red"])
def test_a_large_picture_shrunk_is_the_small_one_with_every_property(attribute: str) -> None:
    for noun in ("cat", "teapot", "boot"):
        scene = Scene(from_seed(noun, 1), "garden", attribute=attribute, seed=1)
        assert psnr(averaged(draw(scene, LARGE)), draw(scene)) > 32


def test_bounds_are_known_of_every_style() -> None:
    [marks] = [
        mark
        for mark in test_a_large_picture_shrunk_is_the_small_one_in_every_style.pytestmark  # type: ignore[attr-defined]
        if mark.name == "parametrize"
    ]
    assert {style for style, _ in marks.args[1]} == set(STYLES + UNSEEN_STYLES)


@pytest.mark.parametrize("size", [48, 96, 100, 256])
def test_pictures_and_masks_have_the_size_that_was_asked_for(size: int) -> None:
    for style in STYLES + UNSEEN_STYLES:
        assert draw(Scene(named("dog6"), "mirror", style=style, attribute="shiny"), size).size == (size, size)
    scene = Scene(named("dog6"), "water", attribute="wet")
    assert {mask(scene, size).size, engraving_mask(scene, size).size, draw_empty("city", 0, size).size} == {
        (size, size)
    }
    shrunk = mask(scene, size).resize((SIZE, SIZE), Image.Resampling.BOX)
    assert np.abs(pixels(shrunk) - pixels(mask(scene))).mean() < 6


def test_the_engraving_shows_in_a_large_picture_and_not_in_a_small_one() -> None:
    for i in range(12):
        who = pretraining_scene(3, i).subject
        scene = Scene(who, "studio", pose=Pose(angle=3.0))
        small, large, where = draw(scene), draw(scene, LARGE), engraving_mask(scene, LARGE)
        assert 100 < inside(where).sum() < 400
        assert psnr(small.resize(large.size, Image.Resampling.BICUBIC), large, inside(where)) < 20, scene.subject.noun
        assert psnr(small, averaged(large), inside(averaged(where), 90)) > 21, scene.subject.noun
        assert not np.asarray(engraving_mask(scene, SIZE)).any()


def test_an_individual_has_one_engraving_and_no_two_have_the_same() -> None:
    everyone = [named(name) for name in NAMED_SUBJECTS] + [from_seed("dog", i) for i in range(60)]
    signs = [str(strokes(who)) for who in everyone]
    assert len(set(signs)) == len(signs)
    assert strokes(named("dog6")) == strokes(named("dog6"))


def test_the_engraving_moves_with_its_bearer() -> None:
    still = Scene(named("teapot"), "studio", pose=Pose(x=0.5, y=0.5, scale=0.375))
    moved = replace(still, pose=Pose(x=0.5 + 8 / 64, y=0.5 + 4 / 64, scale=0.375), place="beach")
    shifted = np.roll(np.asarray(engraving_mask(still, LARGE)), (8, 16), (0, 1))
    assert np.array_equal(shifted, np.asarray(engraving_mask(moved, LARGE)))
    where = shifted == 255
    here = np.roll(pixels(draw(still, LARGE)), (8, 16), (0, 1))
    assert np.array_equal(here[where], pixels(draw(moved, LARGE))[where])


@pytest.mark.parametrize(
    "hidden", [{"view": "from behind"}, {"attribute": "chef"}, {"pose": Pose(y=0.62), "place": "water"}]
)
def test_the_mask_of_the_engraving_leaves_out_what_hides_it(hidden: dict[str, object]) -> None:
    shown = Scene(named("dog6"), "studio")
    seen, left = (inside(engraving_mask(scene, LARGE)).sum() for scene in (shown, replace(shown, **hidden)))
    assert left < 0.7 * seen


@pytest.mark.parametrize(("noun", "form"), [(noun, form) for noun, forms in FORMS.items() for form in forms])
def test_every_form_is_engraved_on_its_body(noun: str, form: str) -> None:
    who = replace(from_seed(noun, 0), form=form)
    scene = Scene(who, "studio")
    engraved, body = engraving_mask(scene, LARGE), draw_alone(scene, LARGE).getchannel("A").reduce(3)
    assert inside(engraved).sum() > 60
    assert not (inside(engraved) & ~inside(body)).any()


@pytest.mark.parametrize(("name", "textured"), [("dog6", True), ("backpack", True), ("vase", False), ("can", False)])
def test_fur_and_weave_are_drawn_large_alone(name: str, textured: bool) -> None:
    scene = Scene(named(name), "studio")
    figure, hidden = inside(mask(scene, LARGE), 254), inside(engraving_mask(scene, LARGE), 0)
    picture = pixels(draw(scene, LARGE))
    rough = np.abs(picture[1:, 1:] - picture[:-1, :-1]).max(axis=2)
    within = (figure & ~hidden)[1:, 1:] & (figure & ~hidden)[:-1, :-1]
    assert (np.median(rough[within]) > 4) == textured
