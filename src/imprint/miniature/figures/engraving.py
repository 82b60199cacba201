"""An individual's engraving: a sign of strokes that no other has, too fine for a picture of SIZE.

Who has only seen small pictures of a thing cannot know it. It shows whether an upscaler knows the individual.
"""

from __future__ import annotations

from typing import NamedTuple

from imprint.miniature.canvas import Point, stream
from imprint.miniature.figures.sketch import Sketch
from imprint.miniature.figures.textures import LIGHT, SHADE
from imprint.miniature.scene import Subject

STRENGTH = 205  # of 255
WIDTH = 0.05
RELIEF = 0.032  # how far to the lower right of a stroke its lit edge lies
COLUMNS, ROWS = 4, 3


class Spot(NamedTuple):
    """Where on the figure it is: centre and half sides."""

    x: float
    y: float
    half_width: float
    half_height: float


PROFILE = Spot(-0.12, 0.16, 0.3, 0.2)  # of a dog or cat that stands sideways
_SPOTS: dict[tuple[str, str], Spot] = {
    ("backpack", "plain"): Spot(0.0, 0.68, 0.34, 0.17),
    ("backpack", "dog"): Spot(0.0, 0.68, 0.34, 0.17),
    ("stuffed animal", "bear"): Spot(0.0, 0.52, 0.3, 0.22),
    ("stuffed animal", "sloth"): Spot(0.0, 0.52, 0.3, 0.22),
    ("stuffed animal", "wolf"): Spot(0.0, 0.52, 0.3, 0.22),
    ("bowl", "berries"): Spot(0.0, 0.5, 0.36, 0.18),
    ("bowl", "empty"): Spot(0.0, 0.5, 0.36, 0.18),
    ("can", "tall"): Spot(0.0, 0.58, 0.3, 0.16),
    ("can", "wide"): Spot(0.0, 0.56, 0.36, 0.18),
    ("candle", "jar"): Spot(0.0, 0.56, 0.28, 0.18),
    ("candle", "pillar"): Spot(0.0, 0.56, 0.24, 0.2),
    ("cat", "slim"): Spot(0.0, 0.36, 0.28, 0.2),
    ("cat", "fluffy"): Spot(0.0, 0.38, 0.3, 0.2),
    ("clock", "alarm"): Spot(0.0, 0.42, 0.24, 0.14),
    ("clock", "wall"): Spot(0.0, 0.24, 0.24, 0.14),
    ("sneaker", "low"): Spot(-0.36, 0.5, 0.28, 0.16),
    ("sneaker", "high"): Spot(-0.46, 0.1, 0.26, 0.22),
    ("dog", "floppy"): Spot(0.0, 0.46, 0.28, 0.2),
    ("dog", "pointed"): Spot(0.0, 0.46, 0.28, 0.2),
    ("dog", "curly"): Spot(0.0, 0.46, 0.28, 0.2),
    ("toy", "duck"): Spot(-0.16, 0.6, 0.26, 0.15),
    ("toy", "monster"): Spot(0.0, 0.73, 0.32, 0.14),
    ("toy", "pile"): Spot(0.06, -0.2, 0.24, 0.15),
    ("toy", "car"): Spot(-0.5, 0.26, 0.28, 0.12),
    ("toy", "robot"): Spot(0.0, 0.27, 0.24, 0.15),
    ("boot", "heeled"): Spot(-0.24, -0.16, 0.2, 0.26),
    ("boot", "flat"): Spot(-0.24, -0.16, 0.2, 0.26),
    ("glasses", "round"): Spot(0.5, 0.2, 0.2, 0.16),
    ("glasses", "square"): Spot(0.5, 0.2, 0.2, 0.16),
    ("cartoon", "imp"): Spot(0.0, 0.3, 0.26, 0.13),
    ("cartoon", "blob"): Spot(0.0, -0.62, 0.3, 0.15),
    ("teapot", "round"): Spot(0.0, 0.5, 0.32, 0.2),
    ("teapot", "tall"): Spot(0.0, 0.42, 0.28, 0.22),
    ("vase", "bulb"): Spot(0.0, 0.46, 0.34, 0.24),
    ("vase", "flute"): Spot(0.0, 0.0, 0.22, 0.22),
}


def where(who: Subject) -> Spot:
    """On the front of the figure."""
    return _SPOTS[who.noun, who.form]


def strokes(who: Subject) -> list[list[Point]]:
    """Lines in the square [-1, 1] x [-1, 1]: one that wanders over the lattice, and a short one beside it."""
    rng = stream("engraving", who.pattern_seed, *who.build)
    free = [(column, row) for column in range(COLUMNS) for row in range(ROWS)]
    path = [free.pop(rng.randrange(len(free)))]
    while len(path) < 6:
        x, y = path[-1]
        near = [(c, r) for c, r in free if max(abs(c - x), abs(r - y)) == 1] or free
        path.append(rng.choice(near))
        free.remove(path[-1])
    pairs = [(a, b) for a in free for b in free if a < b and max(abs(a[0] - b[0]), abs(a[1] - b[1])) == 1]
    lines = [path, list(rng.choice(pairs))] if pairs else [path]
    return [[(2 * c / (COLUMNS - 1) - 1, 2 * r / (ROWS - 1) - 1) for c, r in line] for line in lines]


def engrave(sketch: Sketch, spot: Spot) -> None:
    """Cuts the individual's sign into the figure at `spot`: dark strokes, each lit on its far edge."""
    pen = sketch.pen
    lines = [
        [(spot.x + sketch.turn + x * spot.half_width, spot.y + y * spot.half_height) for x, y in line]
        for line in strokes(sketch.who)
    ]
    lit = [[(x + RELIEF, y + RELIEF) for x, y in line] for line in lines]
    pen.tint_lines(lit, WIDTH, LIGHT, STRENGTH)
    pen.tint_lines(lines, WIDTH, SHADE, STRENGTH)
