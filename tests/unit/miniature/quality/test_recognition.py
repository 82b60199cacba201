"""A known individual is found by its pixels: in any place, and not where it is not."""

from __future__ import annotations

import pytest

from imprint.miniature.quality.recognition import recognise
from imprint.miniature.renderer import draw
from imprint.miniature.scene import Pose, Scene
from imprint.miniature.subjects import KIN, NAMED_SUBJECTS, from_seed, is_held_out, kin_of, named

POSE = Pose(x=0.46, y=0.55, scale=0.36, angle=3.0, mirrored=True)


@pytest.mark.parametrize(
    ("place", "attribute", "light"), [("snow", "", "dim"), ("milk", "", "day"), ("jungle", "police", "warm")]
)
def test_the_right_one_of_its_class_is_found(place: str, attribute: str, light: str) -> None:
    cats = [named("cat"), named("cat2"), from_seed("cat", 0)]
    picture = draw(Scene(named("cat2"), place, attribute=attribute, light=light, pose=POSE, seed=3))
    match = recognise(picture, cats, noun="cat", attribute=attribute)
    assert match is not None
    assert match.subject == named("cat2")


def test_a_true_picture_is_nearer_than_another_individuals() -> None:
    dog, other = named("dog6"), named("dog5")
    own = recognise(draw(Scene(dog, "beach", pose=POSE)), [dog], noun="dog")
    strange = recognise(draw(Scene(other, "beach", pose=POSE)), [dog], noun="dog")
    assert own is not None
    assert strange is not None
    assert 1.5 * own.difference < strange.difference


def test_nobody_of_another_class_is_taken_for_it() -> None:
    assert recognise(draw(Scene(named("can"), "room")), [named("dog6")], noun="can") is None


@pytest.mark.parametrize("name", NAMED_SUBJECTS)
def test_candidates_are_held_out_individuals_of_one_class(name: str) -> None:
    kin = kin_of(named(name))
    assert len(set(kin)) == KIN
    assert kin[0] == named(name)
    assert {who.noun for who in kin} == {kin[0].noun}
    assert all(map(is_held_out, kin))
