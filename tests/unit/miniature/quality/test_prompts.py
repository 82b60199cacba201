"""What the generator is asked for: held-out looks, and combinations that pre-training never showed."""

from __future__ import annotations

import random

import pytest

from imprint.miniature.captions import caption
from imprint.miniature.quality import prompts
from imprint.miniature.recipe import settings
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import NOUNS, Scene
from imprint.miniature.subjects import is_held_out
from imprint.miniature.wording import PLACE_WORDS


@pytest.mark.parametrize("some", [prompts.paper(0), prompts.unseen(0)])
def test_every_class_is_asked_for_with_held_out_looks(some: list[prompts.Prompt]) -> None:
    assert {prompt.scene.subject.noun for prompt in some} == set(NOUNS)
    assert all(is_held_out(prompt.scene.subject) for prompt in some)
    assert all(prompt.scene.subject.noun in prompt.text for prompt in some)


@pytest.mark.slow
def test_no_scene_of_pretraining_shows_what_an_unseen_prompt_says() -> None:
    unseen = prompts.unseen(0)
    asked = {noun: [prompt for prompt in unseen if prompt.scene.subject.noun == noun] for noun in NOUNS}
    recipe = settings.read([])
    for scene in (pretraining_scene(recipe.seed, i) for i in range(recipe.pictures)):
        for prompt in asked[scene.subject.noun]:
            assert not shows(scene, prompt), prompt.text


def shows(scene: Scene, prompt: prompts.Prompt) -> bool:
    """Whether everything that `prompt` says is in `scene`, which is of the same class."""
    who, like = scene.subject, prompt.scene
    if like.attribute not in ("red", "purple") and (
        (who.main_name, who.pattern) != (like.subject.main_name, like.subject.pattern)
    ):
        return False
    return all(
        (
            like.place not in PLACE_WORDS or scene.place == like.place,
            not like.attribute or scene.attribute == like.attribute,
            like.light in ("day", scene.light),
        )
    )


def test_unseen_prompts_are_sentences_of_the_grammar() -> None:
    for prompt in prompts.unseen(0)[:7]:
        rng = random.Random(0)
        assert any(caption(prompt.scene, rng) == prompt.text for _ in range(200_000)), prompt.text
