"""Pictures of 64 pixels stay what they were before larger ones could be drawn, byte for byte.

All of the miniature's networks, sets and committed numbers come from them. The hashes were taken before; after a change
that is meant to alter these pictures, `python tests/unit/miniature/test_same_small_pictures.py` takes them anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import PIL
import pytest
from PIL import Image

from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.figures.catalogue import WEARERS
from imprint.miniature.places import BACKDROPS
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.renderer import draw, draw_alone, draw_empty, mask
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import FORMS, LIGHTS, NOUNS, PATTERNS, STYLES, UNSEEN_STYLES, VIEWS, Scene
from imprint.miniature.subjects import NAMED_SUBJECTS, from_seed, named

STORED = Path(__file__).with_name("same_small_pictures.json")
SEEDS = range(6)  # of individuals: enough for every form


def classes() -> Iterator[Image.Image]:
    for noun in NOUNS:
        for seed in SEEDS:
            for view in VIEWS:
                yield draw(Scene(from_seed(noun, seed), "studio", view=view))


def subjects() -> Iterator[Image.Image]:
    for name in NAMED_SUBJECTS:
        yield draw(Scene(named(name), "room"))


def places() -> Iterator[Image.Image]:
    for place in BACKDROPS:
        for light in LIGHTS:
            yield draw(Scene(named("dog6"), place, light=light, seed=3))
        yield draw_empty(place, 1)


def styles() -> Iterator[Image.Image]:
    for style in STYLES + UNSEEN_STYLES:
        for name in ("teapot", "cat"):
            yield draw(Scene(named(name), "mountain", style=style, seed=5))


def properties() -> Iterator[Image.Image]:
    for what in PROPERTIES:
        for noun in NOUNS:
            yield draw(Scene(from_seed(noun, 4), "beach", attribute=what, seed=7))


def accessories() -> Iterator[Image.Image]:
    for what in ACCESSORIES:
        for noun in WEARERS:
            yield draw(Scene(from_seed(noun, 2), "garden", attribute=what, view="from the side"))


def cut_out() -> Iterator[Image.Image]:
    for name in ("dog6", "vase"):
        for place in ("studio", "water", "mirror"):
            scene = Scene(named(name), place, attribute="wet")
            yield from (mask(scene), draw_alone(scene))


def random_scenes() -> Iterator[Image.Image]:
    for i in range(40):
        yield draw(pretraining_scene(0, i))


GROUPS = {f.__name__: f for f in (classes, subjects, places, styles, properties, accessories, cut_out, random_scenes)}


def digest(group: str) -> str:
    joined = hashlib.sha256()
    for picture in GROUPS[group]():
        joined.update(f"{picture.mode} {picture.size}".encode())
        joined.update(picture.tobytes())
    return joined.hexdigest()


def test_the_groups_hold_every_form_and_pattern() -> None:
    seen = [from_seed(noun, seed) for noun in NOUNS for seed in SEEDS] + [named(n) for n in NAMED_SUBJECTS]
    assert {(who.noun, who.form) for who in seen} == {(noun, form) for noun in NOUNS for form in FORMS[noun]}
    assert {who.pattern for who in seen} == set(PATTERNS)


@pytest.mark.parametrize("group", list(GROUPS))
def test_every_small_picture_is_what_it_was(group: str) -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    if stored["pillow"] != PIL.__version__:
        pytest.skip(f"Pillow {PIL.__version__} may round an edge differently from {stored['pillow']}")
    assert digest(group) == stored["groups"][group]


if __name__ == "__main__":
    content = {"pillow": PIL.__version__, "groups": {group: digest(group) for group in GROUPS}}
    STORED.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
