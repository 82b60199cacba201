"""Draws scenes at random: what pre-training sees, and reference pictures of a subject."""

from __future__ import annotations

import random

from imprint.miniature.canvas import stream
from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.figures.catalogue import WEARERS
from imprint.miniature.places import BACKDROPS, PLACES, UNNAMED_PLACES
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.scene import LIGHTS, NOUNS, STYLES, VIEWS, Pose, Scene, Subject
from imprint.miniature.subjects import for_pretraining, from_seed

NAMED_PLACE_SHARE = 0.8
ATTRIBUTE_SHARE = 0.4
STYLE_SHARE = 0.12
VIEW_SHARE = 0.2
LIGHT_SHARE = 0.2
# Dogs and cats carry the paper's accessories besides everything else, so they come more often.
NOUN_WEIGHTS = tuple(
    2.5 if noun in ("dog", "cat") else 1.3 if noun in WEARERS or noun == "toy" else 1.0 for noun in NOUNS
)


def random_pose(rng: random.Random) -> Pose:
    scale = rng.uniform(0.29, 0.4)
    return Pose(
        x=rng.uniform(0.4, 0.6),
        y=0.93 - scale + rng.uniform(-0.05, 0.02),
        scale=scale,
        angle=rng.uniform(-7, 7),
        mirrored=rng.random() < 0.5,
    )


def random_attribute(who: Subject, rng: random.Random) -> str:
    if rng.random() >= ATTRIBUTE_SHARE:
        return ""
    wears = who.noun in WEARERS and rng.random() < 0.65
    return rng.choice(tuple(ACCESSORIES) if wears else PROPERTIES)


def pretraining_scene(seed: int, index: int) -> Scene:
    """Scene number `index` of pre-training; never shows a held-out individual."""
    rng = stream("pretraining", seed, index)
    noun = rng.choices(NOUNS, NOUN_WEIGHTS)[0]
    who = for_pretraining(noun, rng)
    return Scene(
        subject=who,
        place=rng.choice(PLACES if rng.random() < NAMED_PLACE_SHARE else UNNAMED_PLACES),
        attribute=random_attribute(who, rng),
        style=rng.choice(STYLES[1:]) if rng.random() < STYLE_SHARE else "drawing",
        view=rng.choice(VIEWS[1:]) if rng.random() < VIEW_SHARE else "front",
        light=rng.choice(LIGHTS[1:]) if rng.random() < LIGHT_SHARE else "day",
        pose=random_pose(rng),
        seed=rng.randrange(10**9),
    )


def reference_scenes(who: Subject, count: int) -> list[Scene]:
    """The scenes of a subject's reference pictures: changing places, poses and light, no attribute."""
    rng = stream("references", who.name)
    places = ["studio", "room", "garden", *rng.sample(PLACES, len(PLACES))]
    chosen = (
        rng.sample(places[: count + 1], count) if count < len(places) else [rng.choice(places) for _ in range(count)]
    )
    return [
        Scene(
            subject=who,
            place=place,
            pose=random_pose(rng),
            light=rng.choice(("day", "day", "warm")),
            seed=rng.randrange(10**9),
        )
        for place in chosen
    ]


def view_of(who: Subject, rng: random.Random) -> Scene:
    """`who` somewhere else, posed, lit and sometimes dressed another way; never in another colour."""
    dressed = who.noun in WEARERS and rng.random() < 0.25
    return Scene(
        subject=who,
        place=rng.choice(tuple(BACKDROPS)),
        attribute=rng.choice(tuple(ACCESSORIES)) if dressed else "",
        view=rng.choice(VIEWS) if rng.random() < 0.2 else "front",
        light=rng.choice(LIGHTS) if rng.random() < 0.3 else "day",
        pose=random_pose(rng),
        seed=rng.randrange(10**9),
    )


def fresh_scenes(who: Subject, count: int) -> list[Scene]:
    """Pictures of a subject that are none of its references: in all places, and from other sides. More have all that
    fewer have."""
    return [view_of(who, stream("fresh", who.name, number)) for number in range(count)]


def posed_scenes(who: Subject, place: str, count: int) -> list[Scene]:
    """A subject in one place: first as `Scene` has it, then in other poses."""
    draws = [stream("posed", who.name, place, number) for number in range(1, count)]
    return [Scene(who, place), *(Scene(who, place, pose=random_pose(rng), seed=rng.randrange(10**9)) for rng in draws)]


def reference_count(who: Subject) -> int:
    """Four to six pictures, as in the DreamBooth data set."""
    return stream("count", who.name).choice((4, 5, 5, 6))


def style_scenes(style: str, count: int) -> list[Scene]:
    """Scenes in one style, of changing held-out individuals: the set that style learning trains on."""
    rng = stream("style set", style)
    return [
        Scene(
            subject=from_seed(rng.choice(NOUNS), rng.randrange(10**6)),
            place=rng.choice(PLACES),
            style=style,
            pose=random_pose(rng),
            seed=rng.randrange(10**9),
        )
        for _ in range(count)
    ]
