"""The paper's prompts are in the grammar, word for word; rare identifiers mean nothing."""

from __future__ import annotations

import random
import re

import pytest

from imprint.miniature.captions import RARE_SHARE, caption, paper_caption
from imprint.miniature.places import PLACES
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import UNSEEN_STYLES, Scene
from imprint.miniature.subjects import named
from imprint.miniature.wording import ACCESSORY_WORDS, RARE_IDENTIFIERS

RECONTEXTUALISATION = """in the jungle
in the snow
on the beach
on a cobblestone street
on top of pink fabric
on top of a wooden floor
with a city in the background
with a mountain in the background
with a blue house in the background
on top of a purple rug in a forest
with a wheat field in the background
with a tree and autumn leaves in the background
with the Eiffel Tower in the background
floating on top of water
floating in an ocean of milk
on top of green grass with sunflowers around it
on top of a mirror
on top of the sidewalk in a crowded street
on top of a dirt road
on top of a white rug""".splitlines()
ACCESSORISATION = """wearing a red hat
wearing a santa hat
wearing a rainbow scarf
wearing a black top hat and a monocle
in a chef outfit
in a firefighter outfit
in a police outfit
wearing pink glasses
wearing a yellow shirt
in a purple wizard outfit""".splitlines()


def test_the_papers_places_word_for_word() -> None:
    said = {paper_caption(Scene(named("dog"), place), "sks") for place in PLACES}
    assert said == {f"a sks dog {words}" for words in RECONTEXTUALISATION}


def test_the_papers_accessories_word_for_word() -> None:
    said = {paper_caption(Scene(named("cat"), "studio", attribute=a), "ktn") for a in ACCESSORY_WORDS}
    assert said == {f"a ktn cat {words}" for words in ACCESSORISATION}


def test_the_papers_properties_stand_before_the_identifier() -> None:
    said = [paper_caption(Scene(named("teapot"), "room", attribute=p), "sks") for p in PROPERTIES]
    assert said == [f"a {p} sks teapot" for p in ("red", "purple", "shiny", "wet", "cube shaped")]


def test_pretraining_captions_hold_the_papers_wording_as_it_stands() -> None:
    rng = random.Random(0)
    said = "\n".join(caption(pretraining_scene(0, i), rng) for i in range(3000))
    for words in RECONTEXTUALISATION + ACCESSORISATION:
        assert words in said, words
    for sentence in ("a red dog", "a photo of a dog", "a dog"):
        assert re.search(rf"^{sentence}", said, re.MULTILINE), sentence


def test_rare_identifiers_appear_only_as_noise_before_the_noun() -> None:
    rng = random.Random(0)
    scene = Scene(named("dog"), "snow")
    assert not any(set(caption(scene, rng).split()) & set(RARE_IDENTIFIERS) for _ in range(200))
    strewn = [caption(scene, rng, rare_share=RARE_SHARE) for _ in range(2000)]
    seen = [set(text.split()) & set(RARE_IDENTIFIERS) for text in strewn]
    assert set().union(*seen) == set(RARE_IDENTIFIERS)
    assert sum(map(bool, seen)) / len(seen) == pytest.approx(RARE_SHARE, abs=0.05)


@pytest.mark.parametrize("style", UNSEEN_STYLES)
def test_an_unseen_style_goes_unnamed(style: str) -> None:
    rng = random.Random(0)
    scene = Scene(named("cat"), "city", style=style)
    assert not any(style in caption(scene, rng) for _ in range(100))
