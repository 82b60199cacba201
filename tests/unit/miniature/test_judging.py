"""Prompts are judged by the scene they ask for, and the shares count only what was asked."""

from __future__ import annotations

from imprint.miniature.judging import asked, shares
from imprint.miniature.scene import NOUNS, Scene
from imprint.miniature.subjects import is_held_out, named


def test_every_class_is_asked_for_with_held_out_looks() -> None:
    prompts, scenes = zip(*asked(0), strict=True)
    assert {scene.subject.noun for scene in scenes} == set(NOUNS)
    assert all(is_held_out(scene.subject) for scene in scenes)
    assert all(scene.subject.noun in prompt for prompt, scene in zip(prompts, scenes, strict=True))


def test_shares_count_places_and_attributes_apart() -> None:
    scenes = [Scene(named("dog"), "snow"), Scene(named("dog"), "room", attribute="wet")]
    right = {"noun": "dog", "place": "snow", "attribute": "", "style": "drawing"}
    unasked_place = {"noun": "cat", "place": "city", "attribute": "wet", "style": "drawing"}
    assert shares([right, unasked_place], scenes) == {"class": 0.5, "place": 1.0, "attribute": 1.0}
