"""What a character can wear. Drawn after the figure, fitted to its head and its trunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imprint.miniature.canvas import Pen, Point
from imprint.miniature.figures.sketch import INK, WHITE
from imprint.miniature.palette import COLOURS, Colour, darker


@dataclass(frozen=True)
class Body:
    """Where clothes go: the head (centre, radius), the neck's height, and the trunk's outline."""

    head_x: float
    head_y: float
    head_r: float
    neck_x: float
    neck_y: float
    trunk: tuple[Point, ...]


SITTING = Body(
    0.0,
    -0.38,
    0.46,
    0.0,
    0.04,
    ((-0.62, 0.82), (-0.62, 0.4), (-0.36, -0.04), (0.36, -0.04), (0.62, 0.4), (0.62, 0.82)),
)
PROFILE = Body(0.55, -0.32, 0.33, 0.46, 0.04, ((-0.56, 0.5), (-0.56, -0.14), (0.3, -0.18), (0.58, 0.02), (0.56, 0.5)))
PLUSH = Body(
    0.0,
    -0.36,
    0.48,
    0.0,
    0.04,
    ((-0.54, 0.78), (-0.54, 0.36), (-0.3, 0.02), (0.3, 0.02), (0.54, 0.36), (0.54, 0.78)),
)
FLAT = Body(0.0, -0.2, 0.56, 0.0, 0.22, ((-0.66, 0.62), (-0.7, 0.14), (0.7, 0.14), (0.66, 0.62)))

Dress = Callable[[Pen, Body, bool], None]


def _brim(pen: Pen, b: Body, colour: Colour, width: float = 1.15) -> float:
    """A brim on top of the head; returns the height at which the crown starts."""
    y = b.head_y - b.head_r * 0.72
    pen.ellipse(b.head_x, y, b.head_r * width, b.head_r * 0.2, colour)
    return y


def _suit(pen: Pen, b: Body, colour: Colour) -> None:
    pen.soft(b.trunk, colour)


def _buttons(pen: Pen, b: Body, front: bool, colour: Colour) -> None:
    if front:
        for dy in (0.2, 0.38, 0.56):
            pen.ellipse(b.neck_x * 0.9, b.neck_y + dy, 0.06, 0.06, colour)


def red_hat(pen: Pen, b: Body, front: bool) -> None:
    red = COLOURS["red"]
    y = _brim(pen, b, darker(red, 0.15), 1.2)
    r = b.head_r
    pen.soft(
        [
            (b.head_x - 0.7 * r, y),
            (b.head_x - 0.6 * r, y - 0.75 * r),
            (b.head_x + 0.6 * r, y - 0.75 * r),
            (b.head_x + 0.7 * r, y),
        ],
        red,
    )


def santa_hat(pen: Pen, b: Body, front: bool) -> None:
    r, x, y = b.head_r, b.head_x, b.head_y - b.head_r * 0.7
    pen.soft(
        [
            (x - 0.85 * r, y),
            (x - 0.4 * r, y - 0.9 * r),
            (x + 0.6 * r, y - 1.2 * r),
            (x + 1.15 * r, y - 0.3 * r),
            (x + 0.7 * r, y - 0.5 * r),
            (x + 0.85 * r, y),
        ],
        COLOURS["red"],
    )
    pen.box(x - r, y - 0.14 * r, x + r, y + 0.2 * r, WHITE, 0.16 * r)
    pen.ellipse(x + 1.08 * r, y - 0.28 * r, 0.24 * r, 0.24 * r, WHITE)


def rainbow_scarf(pen: Pen, b: Body, front: bool) -> None:
    x, y, w = b.neck_x, b.neck_y, b.head_r * 0.95
    for i, name in enumerate(("red", "orange", "yellow", "green", "blue", "purple")):
        pen.line(
            [(x - w, y - 0.1 + 0.06 * i), (x, y + 0.06 * i), (x + w, y - 0.1 + 0.06 * i)],
            0.075,
            COLOURS[name],
        )
        if front:
            pen.box(x + 0.1, y + 0.2 + 0.08 * i, x + 0.36, y + 0.29 + 0.08 * i, COLOURS[name])


def top_hat(pen: Pen, b: Body, front: bool) -> None:
    black, r = (34, 32, 40), b.head_r
    y = _brim(pen, b, black, 1.1)
    pen.box(b.head_x - 0.62 * r, y - 1.15 * r, b.head_x + 0.62 * r, y, black, 0.04)
    pen.box(b.head_x - 0.62 * r, y - 0.3 * r, b.head_x + 0.62 * r, y - 0.08 * r, (150, 40, 52))
    if front:
        ex, ey = b.head_x + 0.42 * r, b.head_y + 0.12 * r
        pen.arc(ex, ey, 0.3 * r, 0.3 * r, 0, 360, 0.055, (240, 200, 70))
        pen.line([(ex + 0.25 * r, ey + 0.2 * r), (ex + 0.4 * r, ey + 0.9 * r)], 0.035, (240, 200, 70))


def chef(pen: Pen, b: Body, front: bool) -> None:
    r, x, y = b.head_r, b.head_x, b.head_y - b.head_r * 0.7
    _suit(pen, b, WHITE)
    _buttons(pen, b, front, (90, 90, 100))
    pen.box(x - 0.7 * r, y - 0.5 * r, x + 0.7 * r, y + 0.12 * r, (232, 234, 240))
    for dx in (-0.55, 0.0, 0.55):
        pen.ellipse(x + dx * r, y - 0.75 * r, 0.45 * r, 0.42 * r, WHITE)


def firefighter(pen: Pen, b: Body, front: bool) -> None:
    coat, stripe = (182, 52, 40), (250, 226, 70)
    _suit(pen, b, coat)
    xs = [p[0] for p in b.trunk]
    for dy in (0.2, 0.44):
        pen.line([(min(xs) * 0.88, b.neck_y + dy), (max(xs) * 0.88, b.neck_y + dy)], 0.09, stripe)
    y, r = _brim(pen, b, darker(coat, 0.2), 1.25), b.head_r
    pen.soft(
        [
            (b.head_x - 0.8 * r, y),
            (b.head_x - 0.6 * r, y - 0.8 * r),
            (b.head_x + 0.6 * r, y - 0.8 * r),
            (b.head_x + 0.8 * r, y),
        ],
        coat,
    )
    pen.ellipse(b.head_x, y - 0.36 * r, 0.24 * r, 0.28 * r, stripe)


def police(pen: Pen, b: Body, front: bool) -> None:
    navy = (38, 56, 116)
    _suit(pen, b, navy)
    if front:
        pen.ellipse(b.neck_x - 0.22, b.neck_y + 0.26, 0.1, 0.1, (246, 209, 76))
        pen.line([(b.neck_x, b.neck_y + 0.1), (b.neck_x, b.neck_y + 0.5)], 0.08, INK)
    r, x, y = b.head_r, b.head_x, b.head_y - b.head_r * 0.66
    pen.soft(
        [
            (x - 0.8 * r, y),
            (x - 1.05 * r, y - 0.55 * r),
            (x, y - 0.85 * r),
            (x + 1.05 * r, y - 0.55 * r),
            (x + 0.8 * r, y),
        ],
        navy,
    )
    pen.ellipse(x, y, 0.85 * r, 0.16 * r, INK)
    pen.ellipse(x, y - 0.36 * r, 0.18 * r, 0.18 * r, (246, 209, 76))


def pink_glasses(pen: Pen, b: Body, front: bool) -> None:
    if not front:
        return
    r, pink = b.head_r, (255, 96, 170)
    for side in (-1, 1):
        pen.arc(b.head_x + side * 0.42 * r, b.head_y + 0.08 * r, 0.32 * r, 0.32 * r, 0, 360, 0.095, pink)
        pen.line([(b.head_x + side * 0.74 * r, b.head_y), (b.head_x + side * r, b.head_y - 0.1 * r)], 0.08, pink)
    pen.line([(b.head_x - 0.14 * r, b.head_y + 0.06 * r), (b.head_x + 0.14 * r, b.head_y + 0.06 * r)], 0.08, pink)


def yellow_shirt(pen: Pen, b: Body, front: bool) -> None:
    yellow = (252, 212, 50)
    _suit(pen, b, yellow)
    _buttons(pen, b, front, darker(yellow, 0.4))
    for side in (-1, 1):
        pen.poly(
            [
                (b.neck_x, b.neck_y + 0.18),
                (b.neck_x + side * 0.26, b.neck_y - 0.02),
                (b.neck_x + side * 0.22, b.neck_y + 0.2),
            ],
            darker(yellow, 0.15),
        )


def wizard(pen: Pen, b: Body, front: bool) -> None:
    purple, star = (112, 58, 168), (250, 222, 90)
    _suit(pen, b, purple)
    for x, y in ((-0.24, 0.3), (0.2, 0.46), (0.0, 0.62)):
        pen.ellipse(b.neck_x * 0.6 + x, b.neck_y + y, 0.065, 0.065, star)
    r, y = b.head_r, _brim(pen, b, darker(purple, 0.2), 1.3)
    pen.soft(
        [
            (b.head_x - 0.75 * r, y),
            (b.head_x, y - 1.9 * r),
            (b.head_x + 0.1 * r, y - 1.9 * r),
            (b.head_x + 0.75 * r, y),
        ],
        purple,
    )
    pen.ellipse(b.head_x + 0.05 * r, y - 0.5 * r, 0.15 * r, 0.15 * r, star)


ACCESSORIES: dict[str, Dress] = {
    "red hat": red_hat, "santa hat": santa_hat, "rainbow scarf": rainbow_scarf, "top hat": top_hat,
    "chef": chef, "firefighter": firefighter, "police": police,
    "pink glasses": pink_glasses, "yellow shirt": yellow_shirt, "wizard": wizard,
}  # fmt: skip
