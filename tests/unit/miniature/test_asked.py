"""What a prompt asks for is what the grammar says with it, and nothing is made out of other words."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from imprint.miniature.asked import Asked, asked
from imprint.miniature.captions import caption, paper_caption
from imprint.miniature.paper_prompts import LIVE_PROMPTS, OBJECT_PROMPTS
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import named
from imprint.miniature.wording import ACCESSORY_WORDS, PLACE_WORDS, PROPERTY_WORDS

PLAIN = replace(named("dog6"), main_name="", pattern="plain")  # whose looks no caption names


@pytest.mark.parametrize("prompt", dict.fromkeys((*OBJECT_PROMPTS, *LIVE_PROMPTS)))
def test_every_prompt_of_the_paper_asks_for_one_thing(prompt: str) -> None:
    said = asked(prompt.format("", "{}"))
    assert (said.unknown, said.style, said.view) == ("", "drawing", "front")
    assert bool(said.place) != bool(said.attribute)


@pytest.mark.parametrize("place", PLACE_WORDS)
def test_a_place_in_the_papers_words(place: str) -> None:
    assert asked(paper_caption(Scene(named("dog6"), place)).replace("dog", "{}")) == Asked(place=place)


@pytest.mark.parametrize("attribute", [*PROPERTY_WORDS, *ACCESSORY_WORDS])
def test_an_attribute_in_the_papers_words(attribute: str) -> None:
    words = paper_caption(Scene(named("dog6"), "room", attribute=attribute)).replace("dog", "{}")
    assert asked(words) == Asked(attribute=attribute)


def test_any_caption_is_read_as_it_was_meant() -> None:
    rng = random.Random(0)
    for index in range(300):
        scene = replace(pretraining_scene(0, index), subject=PLAIN)
        words = " ".join(caption(scene, rng).split()).replace(" dog", " {}", 1)
        said = asked(words)
        assert said.unknown == "", words
        assert (said.attribute, said.style) == (scene.attribute, scene.style), words
        assert said.place in (scene.place, ""), words  # it may be left unsaid
        assert said.view in (scene.view, "front"), words


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a {} next to a red chair", "next to red chair"),
        ("a {} carved out of wood in the snow", "carved out of wood"),
        ("a plate decorated with {}", "plate decorated with"),
        ("a {} in the snow on the beach", "in snow"),  # one picture has one place
        ("a redder {}", "redder"),
    ],
)
def test_what_the_world_has_no_picture_of_is_told(prompt: str, unknown: str) -> None:
    assert asked(prompt).unknown == unknown
