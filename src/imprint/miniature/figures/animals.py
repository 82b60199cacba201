"""Dogs and cats: sitting when seen from the front, standing in profile when seen from the side."""

from __future__ import annotations

from imprint.miniature.figures.sketch import INK, Sketch
from imprint.miniature.palette import Colour, darker, lighter

PINK: Colour = (238, 150, 160)

HEAD_Y = -0.38


def sitting_body(s: Sketch, *, width: float, belly: bool) -> None:
    pen, who = s.pen, s.who
    s.coat_soft(
        [
            (-0.62 * width, 1.0),
            (-0.66 * width, 0.45),
            (-0.34, -0.2),
            (0.34, -0.2),
            (0.66 * width, 0.45),
            (0.62 * width, 1.0),
        ]
    )
    if s.face:
        if belly:
            pen.ellipse(s.turn * 0.6, 0.42, 0.24 * width, 0.36, who.second)
        for x in (-0.22, 0.22):
            pen.box(x - 0.13 + s.turn, 0.42, x + 0.13 + s.turn, 0.98, who.main, 0.12)
            pen.ellipse(x + s.turn, 0.94, 0.17, 0.09, who.second)


def dog_ears(s: Sketch, head: float) -> None:
    pen, long = s.pen, s.stretch(3, 0.26, 0.5)
    ear = darker(s.who.main, 0.25) if s.who.build[4] < 0 else s.who.second
    for side in (-1, 1):
        if s.who.form == "pointed":
            pen.poly([(side * 0.18, HEAD_Y - 0.26), (side * (head + 0.04), HEAD_Y - 0.34 - long * 0.7),
                      (side * (head + 0.02), HEAD_Y - 0.02)], ear)  # fmt: skip
        else:
            x = side * (head + 0.02)
            pen.ellipse(x, HEAD_Y + long * 0.4, 0.15 if s.who.form == "floppy" else 0.19, long * 0.85, ear, side * -14)


def dog(s: Sketch) -> None:
    pen, who = s.pen, s.who
    head = s.stretch(0, 0.42, 0.5)
    pen.line([(0.5, 0.75), (0.78, 0.6), (0.86, s.stretch(5, 0.05, 0.4))], 0.15, who.main)
    sitting_body(s, width=s.stretch(1, 0.85, 1.1), belly=True)
    if who.form == "pointed":
        dog_ears(s, head)
    if who.form == "curly":
        for x, y in ((-0.34, -0.66), (-0.12, -0.8), (0.12, -0.8), (0.34, -0.66)):
            pen.ellipse(x, y, 0.17, 0.15, lighter(who.main, 0.12))
    s.coat_ellipse(0, HEAD_Y, head, 0.42)
    if who.form != "pointed":
        dog_ears(s, head)
    if s.face:
        _dog_face(s)
    collar(s, 0.06)


def _dog_face(s: Sketch) -> None:
    pen, who, t = s.pen, s.who, s.turn
    if who.mark[0] > 0:
        pen.ellipse(0.18 + t, HEAD_Y - 0.08, 0.15, 0.17, who.mark_colour)
    else:
        pen.ellipse(-0.18 + t, HEAD_Y - 0.08, 0.15, 0.17, who.mark_colour)
    wide = s.stretch(2, 0.19, 0.27)
    pen.ellipse(t, HEAD_Y + 0.17, wide, 0.2, who.second)
    s.eyes(HEAD_Y - 0.07, 0.18, 0.07)
    pen.ellipse(t, HEAD_Y + 0.09, 0.095, 0.07, INK)
    pen.ellipse(t, HEAD_Y + 0.29, 0.065, 0.085, PINK)


def collar(s: Sketch, y: float) -> None:
    s.pen.line([(-0.3, y - 0.02), (0.0, y + 0.06), (0.3, y - 0.02)], 0.1, s.who.accent)
    if s.face:
        s.pen.ellipse(s.turn, y + 0.12, 0.075, 0.075, (246, 209, 76))


def cat(s: Sketch) -> None:
    pen, who = s.pen, s.who
    head, fluffy = s.stretch(0, 0.44, 0.52), who.form == "fluffy"
    pen.line(
        [(0.5, 0.88), (0.84, 0.8), (0.88, s.stretch(5, 0.0, 0.4)), (0.74, -0.1)],
        0.22 if fluffy else 0.13,
        who.main,
    )
    sitting_body(s, width=s.stretch(1, 0.7, 0.9) + 0.15 * fluffy, belly=fluffy)
    tall = s.stretch(3, 0.28, 0.44)
    for side in (-1, 1):
        pen.poly(
            [(side * 0.06, HEAD_Y - 0.28), (side * head * 0.86, HEAD_Y - 0.3 - tall), (side * head, HEAD_Y)],
            who.main,
        )
        pen.poly(
            [
                (side * 0.18, HEAD_Y - 0.3),
                (side * head * 0.8, HEAD_Y - 0.2 - tall),
                (side * head * 0.86, HEAD_Y - 0.1),
            ],
            PINK,
        )
    if fluffy:
        for side in (-1, 1):
            pen.poly(
                [
                    (side * 0.3, HEAD_Y - 0.1),
                    (side * (head + 0.17), HEAD_Y + 0.2),
                    (side * 0.2, HEAD_Y + 0.4),
                ],
                who.main,
            )
    s.coat_ellipse(0, HEAD_Y, head, 0.38)
    if s.face:
        t = s.turn
        pen.ellipse((0.2 if who.mark[0] > 0 else -0.2) + t, HEAD_Y - 0.04, 0.15, 0.15, who.mark_colour)
        pen.ellipse(-0.09 + t, HEAD_Y + 0.17, 0.13, 0.11, who.second)
        pen.ellipse(0.09 + t, HEAD_Y + 0.17, 0.13, 0.11, who.second)
        for x in (-0.2, 0.2):
            pen.ellipse(x + t, HEAD_Y - 0.04, 0.105, 0.105, who.accent)
            pen.ellipse(x + t, HEAD_Y - 0.04, 0.04, 0.095, INK)
        pen.poly([(-0.06 + t, HEAD_Y + 0.07), (0.06 + t, HEAD_Y + 0.07), (t, HEAD_Y + 0.14)], PINK)
        for side in (-1, 1):
            for y in (0.12, 0.2):
                pen.line(
                    [(side * 0.24 + t, HEAD_Y + y), (side * 0.5 + t, HEAD_Y + y - 0.04)],
                    0.02,
                    lighter(INK, 0.2),
                )


def profile(s: Sketch) -> None:
    """A dog or cat standing sideways, looking right."""
    pen, who, is_cat = s.pen, s.who, s.who.noun == "cat"
    long = s.stretch(1, 0.56, 0.68)
    dark = darker(who.main, 0.2)
    pen.line([(-long, 0.1), (-long - 0.2, -0.1), (-long - 0.18, s.stretch(5, -0.6, -0.3))], 0.13, who.main)
    for x in (-long + 0.22, 0.4):
        pen.box(x - 0.1, 0.3, x + 0.1, 0.96, dark, 0.08)
    s.coat_soft([(-long - 0.1, 0.5), (-long - 0.12, -0.12), (0.2, -0.16), (0.62, -0.16), (0.6, 0.5)])
    for x in (-long + 0.06, 0.26):
        pen.box(x - 0.11, 0.3, x + 0.11, 0.99, who.main, 0.08)
        pen.ellipse(x + 0.03, 0.94, 0.14, 0.07, who.second)
    pen.line([(0.36, 0.02), (0.62, 0.08)], 0.12, who.accent)
    s.coat_ellipse(0.55, HEAD_Y + 0.06, 0.34, 0.33)
    pen.ellipse(0.8, HEAD_Y + 0.18, 0.13 if is_cat else s.stretch(2, 0.2, 0.27), 0.12, who.second)
    pen.ellipse(0.6, HEAD_Y - 0.02, 0.13, 0.13, who.mark_colour)
    if is_cat:
        for x in (0.34, 0.62):
            pen.poly(
                [
                    (x - 0.12, HEAD_Y - 0.16),
                    (x, HEAD_Y - 0.26 - s.stretch(3, 0.24, 0.36)),
                    (x + 0.14, HEAD_Y - 0.18),
                ],
                dark,
            )
        pen.ellipse(0.64, HEAD_Y - 0.02, 0.09, 0.09, who.accent)
        pen.ellipse(0.66, HEAD_Y - 0.02, 0.04, 0.08, INK)
        pen.ellipse(0.9, HEAD_Y + 0.12, 0.05, 0.04, PINK)
        return
    ear, length = darker(who.main, 0.25) if who.build[4] < 0 else who.second, s.stretch(3, 0.26, 0.46)
    if who.form == "pointed":
        pen.poly([(0.24, HEAD_Y - 0.14), (0.3, HEAD_Y - 0.3 - length * 0.8), (0.56, HEAD_Y - 0.2)], ear)
    else:
        pen.ellipse(0.3, HEAD_Y + 0.14, 0.15, length * 0.8, ear, 12)
    pen.ellipse(0.64, HEAD_Y - 0.02, 0.065, 0.07, INK)
    pen.ellipse(1.0, HEAD_Y + 0.11, 0.08, 0.065, INK)
