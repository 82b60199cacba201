"""What a coat is made of, where a picture is large enough to show it: fur and weave.

Each individual has its own, the same in every picture. Light strokes balance dark ones, so that a small picture, which
cannot show them, has the same colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from imprint.miniature.canvas import Pen, Point, stream
from imprint.miniature.palette import Colour
from imprint.miniature.scene import Subject

SHADE: Colour = (38, 34, 46)
LIGHT: Colour = (252, 252, 250)
STRENGTH = 72  # of 255: how much of a stroke's colour covers the coat
REACH = 1.3  # coats lie in [-REACH, REACH] x [-REACH, REACH]

FURRY = ("cat", "dog", "stuffed animal")
WOVEN = ("backpack", "sneaker")


class Stroke(NamedTuple):
    centre: Point
    shape: tuple[Point, ...]
    light: bool


def paint_texture(pen: Pen, who: Subject, outline: Sequence[Point]) -> None:
    """Over a coat within `outline`; nothing on what is smooth."""
    if who.noun not in FURRY + WOVEN:
        return
    left, right = min(x for x, _ in outline), max(x for x, _ in outline)
    top, bottom = min(y for _, y in outline), max(y for _, y in outline)
    strokes = _fur(who.pattern_seed) if who.noun in FURRY else _weave(who.pattern_seed)
    near = [s for s in strokes if left - 0.1 < s.centre[0] < right + 0.1 and top - 0.1 < s.centre[1] < bottom + 0.1]
    for light, colour in ((False, SHADE), (True, LIGHT)):
        pen.tint([s.shape for s in near if s.light is light], colour, STRENGTH, inside=outline)


def _lattice(step: float) -> Iterator[tuple[int, int, float, float]]:
    count = round(REACH / step)
    for row in range(-count, count + 1):
        for column in range(-count, count + 1):
            yield row, column, column * step, row * step


@lru_cache(maxsize=64)
def _fur(seed: int) -> tuple[Stroke, ...]:
    """Hairs that fall, each a little its own way."""
    rng = stream("fur", seed)
    step, length, lean = rng.uniform(0.07, 0.085), rng.uniform(0.1, 0.16), rng.uniform(-0.5, 0.5)
    hairs = []
    for row, column, right, down in _lattice(step):
        x, y = right + rng.uniform(-0.5, 0.5) * step, down + rng.uniform(-0.5, 0.5) * step
        fall = length * rng.uniform(0.7, 1.3)
        tip = (x + fall * (lean + rng.uniform(-0.35, 0.35)), y + fall)
        hairs.append(Stroke((x, y), ((x - 0.018, y), (x + 0.018, y), tip), light=(row + column) % 2 == 0))
    return tuple(hairs)


@lru_cache(maxsize=64)
def _weave(seed: int) -> tuple[Stroke, ...]:
    """Threads that cross: light where they lie, dark where they stand."""
    rng = stream("weave", seed)
    step, slant = rng.uniform(0.075, 0.095), rng.uniform(-0.4, 0.4)
    threads = []
    for row, column, right, down in _lattice(step):
        x, y, lying = right + slant * down, down, (row + column) % 2 == 0
        w, h = (0.42 * step, 0.2 * step) if lying else (0.2 * step, 0.42 * step)
        corners = ((-w, -h), (w, -h), (w, h), (-w, h))
        threads.append(Stroke((x, y), tuple((x + dx + slant * dy, y + dy) for dx, dy in corners), light=lying))
    return tuple(threads)
