"""Thirty individuals with names, more from seeds, and none of them in pre-training."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.miniature.references import SETS, STYLE_SETS, references, scenes
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import NOUNS, Scene
from imprint.miniature.subjects import (
    NAMED_SUBJECTS,
    class_noun,
    from_seed,
    identity,
    is_held_out,
    is_live,
    named,
)


def test_the_thirty_mirror_the_dreambooth_data_set() -> None:
    assert len(NAMED_SUBJECTS) == 30
    assert {class_noun(name) for name in NAMED_SUBJECTS} == set(NOUNS)
    live = [name for name in NAMED_SUBJECTS if is_live(name)]
    assert live == ["cat", "cat2", "dog", "dog2", "dog3", "dog5", "dog6", "dog7", "dog8"]
    assert class_noun("grey_sloth_plushie") == "stuffed animal"


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="dog6"):
        named("dog4")


def test_pretraining_never_shows_a_held_out_individual() -> None:
    shown = {identity(pretraining_scene(0, i).subject) for i in range(1500)}
    assert not shown & {identity(named(name)) for name in NAMED_SUBJECTS}
    assert not shown & {identity(from_seed(noun, seed)) for noun in NOUNS for seed in range(10)}


def test_every_individual_for_personalisation_is_held_out() -> None:
    assert all(is_held_out(named(name)) for name in NAMED_SUBJECTS)
    assert all(is_held_out(scene.subject) for name in STYLE_SETS for scene in scenes(name))


def test_individuals_of_a_class_look_different() -> None:
    dogs = [named(name) for name in NAMED_SUBJECTS if class_noun(name) == "dog"] + [
        from_seed("dog", i) for i in range(5)
    ]
    pictures = [np.asarray(draw(Scene(dog, "studio")), dtype=np.int16) for dog in dogs]
    for i, one in enumerate(pictures):
        assert all(np.abs(one - other).mean() > 2 for other in pictures[i + 1 :])


def test_a_seed_names_the_same_individual_for_ever() -> None:
    assert from_seed("vase", 3) == from_seed("vase", 3) != from_seed("vase", 4)


@pytest.mark.parametrize("name", SETS)
def test_references_are_enough_and_show_one_thing(name: str) -> None:
    truths = scenes(name)
    if name in STYLE_SETS:
        assert len(truths) >= 20
        assert {scene.style for scene in truths} == {STYLE_SETS[name]}
        return
    assert 4 <= len(truths) <= 6
    assert {scene.subject for scene in truths} == {named(name)}
    assert len({scene.place for scene in truths}) == len(truths)
    assert not any(scene.attribute for scene in truths)


def test_references_are_always_the_same_pictures() -> None:
    assert [p.tobytes() for p in references("teapot")] == [p.tobytes() for p in references("teapot")]
