"""Individuals: thirty with names, any number from seeds, and which of them pre-training may never see."""

from __future__ import annotations

import random

from imprint.miniature.canvas import stream
from imprint.miniature.palette import COLOURS, jittered
from imprint.miniature.scene import FORMS, PATTERNS, Subject

FOLDS = 8  # one identity in eight is held out of pre-training
KIN = 8  # candidates of one class, among which an individual is told

# name: (noun, form, main, second, accent, pattern, mark's colour)
_NAMED: dict[str, tuple[str, str, str, str, str, str, str]] = {
    "backpack": ("backpack", "plain", "red", "black", "yellow", "plain", "white"),
    "backpack_dog": ("backpack", "dog", "grey", "brown", "red", "patches", "white"),
    "bear_plushie": ("stuffed animal", "bear", "brown", "cream", "red", "plain", "pink"),
    "berry_bowl": ("bowl", "berries", "white", "blue", "red", "bands", "purple"),
    "can": ("can", "tall", "blue", "yellow", "red", "stripes", "white"),
    "candle": ("candle", "jar", "cream", "green", "brown", "plain", "orange"),
    "cat": ("cat", "slim", "orange", "white", "green", "stripes", "cream"),
    "cat2": ("cat", "fluffy", "grey", "white", "blue", "patches", "black"),
    "clock": ("clock", "alarm", "yellow", "black", "red", "plain", "white"),
    "colorful_sneaker": ("sneaker", "low", "green", "orange", "purple", "zigzag", "yellow"),
    "dog": ("dog", "pointed", "brown", "white", "blue", "plain", "cream"),
    "dog2": ("dog", "curly", "white", "brown", "green", "patches", "black"),
    "dog3": ("dog", "curly", "grey", "cream", "red", "spots", "brown"),
    "dog5": ("dog", "floppy", "black", "golden", "orange", "plain", "brown"),
    "dog6": ("dog", "pointed", "orange", "white", "green", "patches", "brown"),
    "dog7": ("dog", "floppy", "golden", "cream", "purple", "plain", "white"),
    "dog8": ("dog", "floppy", "white", "black", "yellow", "spots", "grey"),
    "duck_toy": ("toy", "duck", "yellow", "white", "orange", "plain", "blue"),
    "fancy_boot": ("boot", "heeled", "cream", "brown", "orange", "zigzag", "purple"),
    "grey_sloth_plushie": ("stuffed animal", "sloth", "grey", "cream", "green", "plain", "brown"),
    "monster_toy": ("toy", "monster", "green", "yellow", "purple", "spots", "orange"),
    "pink_sunglasses": ("glasses", "round", "pink", "purple", "black", "plain", "yellow"),
    "poop_emoji": ("toy", "pile", "brown", "golden", "pink", "bands", "red"),
    "rc_car": ("toy", "car", "red", "white", "grey", "stripes", "yellow"),
    "red_cartoon": ("cartoon", "imp", "red", "yellow", "pink", "plain", "orange"),
    "robot_toy": ("toy", "robot", "blue", "white", "orange", "bands", "red"),
    "shiny_sneaker": ("sneaker", "high", "white", "golden", "black", "stripes", "blue"),
    "teapot": ("teapot", "round", "blue", "white", "golden", "spots", "red"),
    "vase": ("vase", "bulb", "white", "blue", "red", "zigzag", "green"),
    "wolf_plushie": ("stuffed animal", "wolf", "grey", "white", "blue", "patches", "black"),
}
NAMED_SUBJECTS = tuple(_NAMED)


def _individual(  # noqa: PLR0917
    name: str,
    rng: random.Random,
    noun: str,
    form: str,
    main: str,
    second: str,
    accent: str,
    pattern: str,
    mark: str,
) -> Subject:
    side, height = rng.choice((-1, 1)) * rng.uniform(0.45, 1.0), rng.uniform(-1.0, 1.0)
    b = [rng.uniform(-1, 1) for _ in range(6)]
    return Subject(
        name=name, noun=noun, form=form, main_name=main, second_name=second,
        main=jittered(COLOURS[main], rng), second=jittered(COLOURS[second], rng), accent=COLOURS[accent],
        pattern=pattern, pattern_seed=rng.randrange(10**6), build=(b[0], b[1], b[2], b[3], b[4], b[5]),
        mark=(side, height), mark_colour=COLOURS[mark],
    )  # fmt: skip


def named(name: str) -> Subject:
    """One of NAMED_SUBJECTS; raises KeyError with the known names otherwise."""
    if name not in _NAMED:
        raise KeyError(f"no subject {name!r} in the miniature; known: {', '.join(NAMED_SUBJECTS)}")
    return _individual(name, stream("named", name), *_NAMED[name])


Identity = tuple[str, str, str, str, str]


def identity(who: Subject) -> Identity:
    """The coarse looks of an individual; pre-training and held-out individuals share none."""
    return (who.noun, who.form, who.main_name, who.second_name, who.pattern)


_NAMED_IDENTITIES = {(noun, form, main, second, pattern) for noun, form, main, second, _, pattern, _ in _NAMED.values()}


def is_held_out(who: Subject) -> bool:
    key = identity(who)
    return key in _NAMED_IDENTITIES or stream("fold", *key).randrange(FOLDS) == 0


def _drawn(rng: random.Random, noun: str, name: str) -> Subject:
    main, second, accent, mark = rng.sample(sorted(COLOURS), 4)
    pattern = rng.choice(PATTERNS) if rng.random() < 0.7 else "plain"
    return _individual(name, rng, noun, rng.choice(FORMS[noun]), main, second, accent, pattern, mark)


def for_pretraining(noun: str, rng: random.Random) -> Subject:
    """A random individual of `noun` that is not held out."""
    while True:
        who = _drawn(rng, noun, "")
        if not is_held_out(who):
            return who


def from_seed(noun: str, seed: int) -> Subject:
    """A held-out individual of `noun`, the same for the same seed, and none of NAMED_SUBJECTS."""
    rng = stream("seeded", noun, seed)
    while True:
        who = _drawn(rng, noun, f"{noun.replace(' ', '_')}_{seed}")
        if is_held_out(who) and identity(who) not in _NAMED_IDENTITIES:
            return who


def by_name(name: str) -> Subject | None:
    """The held-out individual of this name, dog6 or dog_17; None where there is none."""
    noun, _, number = name.rpartition("_")
    noun = noun.replace("_", " ")
    if name in _NAMED:
        return named(name)
    return from_seed(noun, int(number)) if noun in FORMS and number.isdecimal() else None


def kin_of(who: Subject) -> list[Subject]:
    """`who` and as many others of its class as make KIN: named ones, filled up with others. Pre-training saw none."""
    others = [named(name) for name in NAMED_SUBJECTS if named(name).noun == who.noun]
    others += [from_seed(who.noun, i) for i in range(KIN)]
    return [who, *(other for other in others if other != who)][:KIN]


def class_noun(subject_name: str) -> str:
    return named(subject_name).noun


def is_live(subject_name: str) -> bool:
    return named(subject_name).is_live
