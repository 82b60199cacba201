"""The picture follows from the scene, and a subject looks the same wherever it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imprint.miniature.canvas import PIXELS, SIZE, Placement
from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.places import BACKDROPS, PLACES
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.renderer import draw, draw_alone, mask
from imprint.miniature.scene import LIGHTS, STYLES, UNSEEN_STYLES, VIEWS, Pose, Scene
from imprint.miniature.subjects import NAMED_SUBJECTS, named


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(draw(scene), dtype=np.int16)


def test_equal_scenes_give_equal_pixels() -> None:
    scene = Scene(named("dog6"), "jungle", attribute="wet", style="watercolour", light="warm", seed=5)
    assert draw(scene).tobytes() == draw(replace(scene)).tobytes()


def test_every_place_looks_different_from_every_other() -> None:
    pictures = {place: pixels(Scene(named("candle"), place, seed=1)) for place in BACKDROPS}
    for a in PLACES:
        nearest = min(np.abs(pictures[a] - pictures[b]).mean() for b in PLACES if b != a)
        assert nearest > 8, a


@pytest.mark.parametrize("attribute", [*PROPERTIES, *ACCESSORIES])
def test_every_attribute_shows(attribute: str) -> None:
    plain = Scene(named("dog"), "studio")
    assert np.abs(pixels(plain) - pixels(replace(plain, attribute=attribute))).mean() > 2


@pytest.mark.parametrize(("field", "values"), [("style", STYLES + UNSEEN_STYLES), ("view", VIEWS), ("light", LIGHTS)])
def test_every_style_view_and_light_shows(field: str, values: tuple[str, ...]) -> None:
    pictures = [pixels(replace(Scene(named("cat"), "beach"), **{field: value})) for value in values]
    for i, one in enumerate(pictures):
        for other in pictures[i + 1 :]:
            assert np.abs(one - other).mean() > 1


@pytest.mark.parametrize("name", NAMED_SUBJECTS)
def test_a_subject_has_the_same_pixels_in_every_place(name: str) -> None:
    here, there = (Scene(named(name), place) for place in ("studio", "beach"))
    assert draw_alone(here).tobytes() == draw_alone(there).tobytes()
    # Well inside the cut-out figure, the finished pictures agree too: nothing of the place shines through.
    alpha = np.asarray(draw_alone(here).getchannel("A").reduce(PIXELS // SIZE))
    inside = alpha == 255
    assert inside.sum() > 50
    assert np.array_equal(pixels(here)[inside], pixels(there)[inside])


def test_a_subject_moved_and_mirrored_keeps_its_colours() -> None:
    def colours(pose: Pose) -> np.ndarray:
        cut = np.asarray(draw_alone(Scene(named("robot_toy"), "studio", pose=pose)))
        return cut[cut[..., 3] == 255][:, :3].mean(axis=0)

    still = colours(Pose(x=0.5, y=0.55, scale=0.35))
    moved = colours(Pose(x=0.45, y=0.5, scale=0.3, angle=6.0, mirrored=True))
    assert np.abs(still - moved).max() < 4


def test_placement_maps_the_figures_square_onto_the_frame() -> None:
    at = Placement(x=0.5, y=0.5, scale=0.25)
    assert at.to_pixels([(-1, -1), (1, 1)]) == [
        (PIXELS * 0.25, PIXELS * 0.25),
        (PIXELS * 0.75, PIXELS * 0.75),
    ]
    assert replace(at, mirrored=True).to_pixels([(1, 0)]) == at.to_pixels([(-1, 0)])


@pytest.mark.parametrize("place", ["jungle", "water", "mirror"])
@pytest.mark.parametrize("attribute", ["", "red hat", "wet"])
def test_a_mask_is_where_the_subject_changes_the_picture(place: str, attribute: str) -> None:
    """What another colour of the subject changes lies inside of it, and all that shows of it is changed by one."""
    who = named("dog6")
    scene = Scene(who, place, attribute=attribute)
    inside = np.asarray(mask(scene))
    other = replace(scene, subject=replace(who, main=(0, 0, 0), second=(0, 0, 0), mark_colour=(0, 0, 0)))
    changed = np.abs(pixels(scene) - pixels(other)).max(axis=2)
    if place != "mirror":  # which shows it once more
        assert not changed[inside == 0].any()
    assert 0.05 < (inside > 127).mean() < 0.5
    assert (changed[inside == 255] > 0).mean() > 0.5


def test_water_hides_what_is_below_it() -> None:
    dry, floating = (np.asarray(mask(Scene(named("dog6"), place))) for place in ("studio", "water"))
    assert (floating <= dry).all()
    assert not floating[-8:].any()
    assert floating[:20].any()
