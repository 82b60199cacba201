"""What the generator is asked for, each prompt with a scene that answers it.

Two lists. `paper` holds the DreamBooth paper's prompts as they stand: these words, class by class, do occur among
pre-training's captions. `unseen` holds combinations that pre-training never showed and so no caption ever named: the
same phrases, about looks (pattern and colour) which that class never had in that place or with that attribute; for
"red" and "purple", which leave no colour to name, a place and a light which that class never had in that colour.
Every scene of pre-training is looked through to make sure of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import count

from imprint.miniature.canvas import stream
from imprint.miniature.captions import article, paper_caption
from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.figures.catalogue import WEARERS
from imprint.miniature.places import PLACES
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.recipe import settings
from imprint.miniature.sampling import pretraining_scene, random_pose
from imprint.miniature.scene import NOUNS, Scene
from imprint.miniature.subjects import from_seed
from imprint.miniature.wording import ACCESSORY_WORDS, LIGHT_WORDS, PATTERN_WORDS, PLACE_WORDS

PLACES_A_CLASS = 4
ATTRIBUTES_A_CLASS = 3
Fact = tuple[str, ...]


@dataclass(frozen=True)
class Prompt:
    """`scene` is one of the many that `text` describes; its individual is held out of pre-training."""

    text: str
    scene: Scene


def paper(seed: int) -> list[Prompt]:
    """Every class in some places, and with some attributes, in the paper's own words."""
    rng = stream("judging", seed)
    out = []
    for noun in NOUNS:
        for place in rng.sample(PLACES, PLACES_A_CLASS):
            scene = Scene(from_seed(noun, seed), place, pose=random_pose(rng), seed=rng.randrange(10**9))
            out.append(Prompt(paper_caption(scene), scene))
        for attribute in _some_attributes(noun, rng):
            scene = Scene(from_seed(noun, seed), "room", attribute=attribute, pose=random_pose(rng))
            out.append(Prompt(paper_caption(scene), scene))
    return out


def unseen(seed: int) -> list[Prompt]:
    """As many, of combinations that are absent from all scenes of pre-training."""
    rng, shown = stream("unseen", seed), shown_in_pretraining()
    out = []
    for noun in NOUNS:
        for place in rng.sample(PLACES, PLACES_A_CLASS):
            scene = _first_unseen(_others(noun, rng, place=place), in_place, shown)
            out.append(Prompt(f"{_looks(scene)} {PLACE_WORDS[place][0]}", scene))
        for attribute in _some_attributes(noun, rng):
            if attribute in ("red", "purple"):
                scene = _first_unseen(_places(noun, rng, attribute), recoloured_in_light, shown)
                words = f"a {attribute} {noun} {PLACE_WORDS[scene.place][0]} {LIGHT_WORDS['warm'][1]}"
            else:
                scene = _first_unseen(_others(noun, rng, attribute=attribute), with_attribute, shown)
                words = " ".join([_looks(scene), *ACCESSORY_WORDS.get(attribute, ())[:1]])
            out.append(Prompt(words, scene))
    return out


def in_place(scene: Scene) -> Fact:
    who = scene.subject
    return ("place", who.noun, who.main_name, who.pattern, scene.place)


def with_attribute(scene: Scene) -> Fact:
    who = scene.subject
    return ("attribute", who.noun, who.main_name, who.pattern, scene.attribute)


def recoloured_in_light(scene: Scene) -> Fact:
    return ("light", scene.subject.noun, scene.attribute, scene.place, scene.light)


@cache
def shown_in_pretraining() -> frozenset[Fact]:
    """The combinations that any scene of the recipe's pre-training shows."""
    recipe = settings.read([])
    scenes = (pretraining_scene(recipe.seed, i) for i in range(recipe.pictures))
    return frozenset(fact(scene) for scene in scenes for fact in (in_place, with_attribute, recoloured_in_light))


def _first_unseen(scenes: Iterable[Scene], fact: Callable[[Scene], Fact], shown: frozenset[Fact]) -> Scene:
    return next(scene for scene in scenes if fact(scene) not in shown)


def _others(noun: str, rng: random.Random, *, place: str = "room", attribute: str = "") -> Iterator[Scene]:
    """One patterned individual after another, in the same circumstances."""
    pose, seed = random_pose(rng), rng.randrange(10**9)
    for number in count(rng.randrange(10**6)):
        who = from_seed(noun, number)
        if who.pattern in PATTERN_WORDS:
            yield Scene(who, place, attribute=attribute, pose=pose, seed=seed)


def _places(noun: str, rng: random.Random, attribute: str) -> Iterator[Scene]:
    """One individual at sunset, in one place after another."""
    who = from_seed(noun, rng.randrange(10**6))
    scene = Scene(who, "room", attribute=attribute, light="warm", pose=random_pose(rng), seed=rng.randrange(10**9))
    return (replace(scene, place=place) for place in rng.sample(PLACES, len(PLACES)))


def _looks(scene: Scene) -> str:
    """ "a wet spotted golden dog": the grammar's order of words."""
    who = scene.subject
    words = [PATTERN_WORDS[who.pattern], who.main_name, who.noun]
    if scene.attribute in PROPERTIES:
        words.insert(0, scene.attribute)
    return f"{article(words[0])} {' '.join(words)}"


def _some_attributes(noun: str, rng: random.Random) -> list[str]:
    choices = (*PROPERTIES, *ACCESSORIES) if noun in WEARERS else PROPERTIES
    return rng.sample(choices, ATTRIBUTES_A_CLASS)
