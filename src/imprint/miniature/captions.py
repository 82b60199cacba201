"""Says what a scene shows: the grammar of captions."""

from __future__ import annotations

import random

from imprint.miniature import wording
from imprint.miniature.palette import COLOURS
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.scene import NOUNS, Scene

ADJECTIVE_SHARE = 0.45  # of captions that name a colour or a pattern
RARE_SHARE = 0.2  # of pre-training's captions, with a meaningless identifier before the noun
SILENT_PLACE_SHARE = 0.06  # of captions that leave a nameable place unsaid


def article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"


def noun_phrase(scene: Scene, rng: random.Random, *, rare_share: float) -> str:
    """Article, filler, property, identifier, adjectives, noun: "a red sks dog"."""
    who = scene.subject
    words = [rng.choice(wording.FILLERS)]
    if scene.attribute in PROPERTIES:
        words.append(rng.choice(wording.PROPERTY_WORDS[scene.attribute]))
    if rng.random() < rare_share:
        words.append(rng.choice(wording.RARE_IDENTIFIERS))
    if rng.random() < ADJECTIVE_SHARE and scene.attribute not in ("red", "purple"):
        if who.pattern in wording.PATTERN_WORDS and rng.random() < 0.4:
            words.append(wording.PATTERN_WORDS[who.pattern])
        words.append(who.main_name)
        if who.pattern != "plain" and rng.random() < 0.3:
            words += ["and", who.second_name]
    words.append(who.noun)
    phrase = " ".join(w for w in words if w)
    return phrase if phrase.startswith(("my ", "one ")) else f"{rng.choice((article(phrase),) * 5 + ('the',))} {phrase}"


def caption(scene: Scene, rng: random.Random, *, rare_share: float = 0.0) -> str:
    """One of the many true captions of `scene`; a share `rare_share` of them holds a rare identifier."""
    parts = [noun_phrase(scene, rng, rare_share=rare_share)]
    if scene.attribute in wording.ACCESSORY_WORDS:
        parts.append(_said(wording.ACCESSORY_WORDS[scene.attribute], rng))
    if scene.place in wording.PLACE_WORDS and rng.random() >= SILENT_PLACE_SHARE:
        parts.append(_said(wording.PLACE_WORDS[scene.place], rng))
    parts.append(rng.choice(wording.VIEW_WORDS[scene.view]))
    parts.append(rng.choice(wording.LIGHT_WORDS[scene.light]))
    # A style outside the vocabulary goes unsaid: giving it a name is what style learning is for.
    frames = wording.STYLE_WORDS.get(scene.style, wording.STYLE_WORDS["drawing"])
    return rng.choice(frames).format(" ".join(p for p in parts if p))


def _said(wordings: tuple[str, ...], rng: random.Random) -> str:
    """The paper's own wording half of the time."""
    return wordings[0] if rng.random() < 0.5 else rng.choice(wordings[1:])


def paper_caption(scene: Scene, identifier: str = "") -> str:
    """The scene in the DreamBooth paper's own words: "a sks dog in the jungle", "a red sks dog"."""
    before = f"{scene.attribute} " if scene.attribute in PROPERTIES else ""
    words = f"{before}{identifier + ' ' if identifier else ''}{scene.subject.noun}"
    after = wording.ACCESSORY_WORDS.get(scene.attribute) or wording.PLACE_WORDS.get(scene.place) or ("",)
    return f"a {words} {after[0]}".strip()


def vocabulary_sentences() -> list[str]:
    """Sentences that together hold every word the grammar can say."""
    groups = (
        wording.PLACE_WORDS,
        wording.ACCESSORY_WORDS,
        wording.STYLE_WORDS,
        wording.VIEW_WORDS,
        wording.LIGHT_WORDS,
        wording.PROPERTY_WORDS,
    )
    sentences = [w.replace("{}", "") for group in groups for words in group.values() for w in words]
    sentences += [
        *NOUNS,
        *COLOURS,
        *wording.PATTERN_WORDS.values(),
        *wording.FILLERS,
        *wording.TEMPLATE_WORDS,
        "a an and the of",
    ]
    return [s for s in sentences if s.strip()]
