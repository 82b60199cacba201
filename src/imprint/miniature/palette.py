"""The world's colours: names a caption may use, and the RGB they stand for."""

from __future__ import annotations

import random

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (214, 48, 49),
    "orange": (238, 138, 48),
    "yellow": (246, 209, 76),
    "green": (86, 166, 86),
    "blue": (62, 122, 214),
    "purple": (136, 76, 180),
    "pink": (242, 148, 182),
    "brown": (140, 92, 58),
    "black": (48, 46, 56),
    "white": (244, 242, 236),
    "grey": (148, 150, 158),
    "golden": (218, 168, 96),
    "cream": (240, 220, 184),
}


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` with `share` of `b` in it."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def darker(colour: Colour, share: float = 0.25) -> Colour:
    return mix(colour, (20, 16, 40), share)


def lighter(colour: Colour, share: float = 0.35) -> Colour:
    return mix(colour, (255, 255, 255), share)


def jittered(colour: Colour, rng: random.Random, amount: int = 10) -> Colour:
    """A near neighbour of `colour`, so that two individuals of one colour name still differ."""
    r, g, b = (min(255, max(0, c + rng.randint(-amount, amount))) for c in colour)
    return (r, g, b)
