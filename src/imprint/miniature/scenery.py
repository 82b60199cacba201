"""The parts that places are made of: skies, grounds, trees, houses, blossoms."""

from __future__ import annotations

import random
from collections.abc import Callable

from imprint.miniature.canvas import Pen
from imprint.miniature.palette import COLOURS, Colour, darker, lighter, mix

Backdrop = Callable[[Pen, random.Random], None]

SKY: Colour = (160, 208, 240)
GRASS: Colour = (112, 178, 88)
LEAF: Colour = (52, 128, 66)
SAND: Colour = (236, 214, 158)
SNOW: Colour = (238, 243, 250)
WOOD: Colour = (186, 132, 82)
BARK: Colour = (112, 78, 54)
STONE: Colour = (164, 158, 152)


def horizon_at(rng: random.Random) -> float:
    return rng.uniform(0.5, 0.62)


def split(pen: Pen, top: Colour, bottom: Colour, horizon: float) -> None:
    pen.box(0, 0, 1, horizon, top)
    pen.box(0, horizon, 1, 1, bottom)


def sky(pen: Pen, rng: random.Random, ground: Colour, *, colour: Colour = SKY, clouds: bool = True) -> float:
    """Sky over a ground; returns the horizon's height."""
    horizon = horizon_at(rng)
    split(pen, colour, ground, horizon)
    if clouds:
        for _ in range(rng.randint(1, 2)):
            x, y, r = rng.uniform(0.05, 0.95), rng.uniform(0.06, 0.2), rng.uniform(0.05, 0.08)
            for dx in (-1.1, 0.0, 1.1):
                pen.ellipse(x + dx * r, y, r * 1.2, r * (0.8 if dx else 1.0), (246, 249, 252))
    return horizon


def tree(pen: Pen, x: float, base: float, height: float, crown: Colour) -> None:
    pen.box(x - height * 0.06, base - height * 0.5, x + height * 0.06, base, BARK)
    for dx, dy, r in ((-0.18, 0.55, 0.2), (0.18, 0.55, 0.2), (0.0, 0.78, 0.26)):
        pen.ellipse(x + dx * height, base - dy * height, r * height, r * height, crown)


def fir(pen: Pen, x: float, base: float, height: float, colour: Colour) -> None:
    pen.box(x - 0.012, base - height * 0.2, x + 0.012, base, BARK)
    for low, width in ((0.15, 0.26), (0.45, 0.2)):
        pen.poly(
            [
                (x - width * height, base - low * height),
                (x + width * height, base - low * height),
                (x, base - (low + 0.55) * height),
            ],
            colour,
        )


def house(pen: Pen, x: float, base: float, size: float, wall: Colour, roof: Colour) -> None:  # noqa: PLR0917
    pen.box(x - size, base - size, x + size, base, wall)
    pen.poly(
        [(x - size * 1.2, base - size), (x + size * 1.2, base - size), (x, base - size * 1.85)],
        roof,
    )
    for dx in (-0.55, 0.55):
        pen.box(
            x + (dx - 0.22) * size,
            base - 0.75 * size,
            x + (dx + 0.22) * size,
            base - 0.3 * size,
            (250, 240, 190),
        )
    pen.box(x - 0.16 * size, base - 0.5 * size, x + 0.16 * size, base, darker(wall, 0.45))


def tower(pen: Pen, x: float, base: float, height: float) -> None:
    """A lattice tower on four curved legs, known in every city of this world."""
    iron: Colour = (128, 104, 88)
    w = height * 0.24
    pen.soft([(x - w, base), (x - 0.3 * w, base - 0.45 * height), (x, base - height), (x, base - height),
              (x + 0.3 * w, base - 0.45 * height), (x + w, base), (x + 0.5 * w, base),
              (x, base - 0.3 * height), (x - 0.5 * w, base)], iron)  # fmt: skip
    for at, half in ((0.3, 0.55), (0.55, 0.3)):
        pen.box(x - half * w, base - (at + 0.035) * height, x + half * w, base - at * height, darker(iron, 0.3))


def person(pen: Pen, x: float, base: float, height: float, coat: Colour) -> None:
    pen.box(x - 0.13 * height, base - 0.78 * height, x + 0.13 * height, base - 0.3 * height, coat, 0.04)
    pen.box(x - 0.1 * height, base - 0.32 * height, x + 0.1 * height, base, (66, 64, 84))
    pen.ellipse(x, base - 0.88 * height, 0.1 * height, 0.12 * height, (226, 178, 146))


def sunflower(pen: Pen, x: float, y: float, r: float) -> None:
    pen.line([(x, y), (x, y + 2.6 * r)], r * 0.35, LEAF)
    pen.ellipse(x, y, r, r, COLOURS["yellow"])
    pen.ellipse(x, y, r * 0.5, r * 0.5, (112, 72, 40))


def waves(pen: Pen, rng: random.Random, top: float, colour: Colour) -> None:
    for row in range(4):
        y = top + 0.05 + row * (0.94 - top) / 4
        x = rng.uniform(-0.1, 0.1)
        while x < 1:
            pen.arc(x + 0.06, y, 0.06, 0.025, 200, 340, 0.014, colour)
            x += rng.uniform(0.24, 0.34)


def rug(pen: Pen, colour: Colour, *, border: Colour) -> None:
    pen.soft([(0.02, 0.97), (0.2, 0.66), (0.8, 0.66), (0.98, 0.97)], border)
    pen.soft([(0.09, 0.94), (0.23, 0.69), (0.77, 0.69), (0.91, 0.94)], colour)


def planks(pen: Pen, rng: random.Random, horizon: float, colour: Colour) -> None:
    pen.box(0, horizon, 1, 1, colour)
    seam = darker(colour, 0.28)
    for i in range(-6, 13):
        x = i / 6 + 0.02
        pen.line([(0.5 + (x - 0.5) * 0.55, horizon), (0.5 + (x - 0.5) * 1.5, 1.0)], 0.011, seam)


def shade(colour: Colour, rng: random.Random) -> Colour:
    """The same colour a little lighter or darker: days differ."""
    share = rng.uniform(-0.1, 0.1)
    return lighter(colour, share) if share > 0 else mix(colour, (40, 40, 70), -share)
