"""Stuffed animals, toys and cartoon characters."""

from __future__ import annotations

import math

from imprint.miniature.figures.sketch import INK, WHITE, Sketch
from imprint.miniature.palette import Colour, darker, lighter

PINK: Colour = (238, 150, 160)


def stuffed_animal(s: Sketch) -> None:
    """Sits with its limbs out, its seams showing."""
    pen, who, t = s.pen, s.who, s.turn
    head, belly = s.stretch(0, 0.44, 0.54), s.stretch(1, 0.44, 0.56)
    limb = s.stretch(2, 0.17, 0.23)
    arms = 0.95 if who.form == "sloth" else 0.72
    for side in (-1, 1):
        pen.line([(side * 0.36, 0.15), (side * arms, 0.42 if who.form != "sloth" else 0.66)], limb * 1.6, who.main)
        pen.ellipse(side * 0.5, 0.82, limb * 1.35, limb, who.main)
        if s.face:
            pen.ellipse(side * 0.54, 0.83, limb * 0.8, limb * 0.6, who.second)
    s.coat_ellipse(0, 0.45, belly, 0.5)
    for side in (-1, 1):
        if who.form == "wolf":
            pen.poly([(side * 0.08, -0.62), (side * head, -1.0), (side * head, -0.35)], who.main)
            pen.poly([(side * 0.2, -0.64), (side * head * 0.9, -0.9), (side * head * 0.9, -0.5)], who.second)
        elif who.form == "bear":
            pen.ellipse(side * head * 0.82, -0.74, 0.2, 0.2, who.main)
            pen.ellipse(side * head * 0.82, -0.72, 0.11, 0.11, who.second)
    s.coat_ellipse(0, -0.36, head, 0.44)
    if s.face:
        if who.form == "sloth":
            pen.ellipse(t, -0.32, head * 0.8, 0.32, who.second)
            for side in (-1, 1):
                pen.ellipse(side * 0.2 + t, -0.34, 0.16, 0.1, darker(who.main, 0.5), side * 25)
        else:
            pen.ellipse(t, -0.2, 0.24, 0.19, who.second)
        s.eyes(-0.38, 0.19, 0.06)
        pen.ellipse(t, -0.25, 0.09, 0.065, INK)
        pen.arc(t, -0.2, 0.1, 0.08, 20, 160, 0.035, INK)
        s.mark(0, 0.48, 0.22)
    pen.line([(-0.28, 0.02), (0.28, 0.02)], 0.09, who.accent)
    if s.face:
        for side in (-1, 1):
            pen.poly([(t, 0.03), (side * 0.2 + t, -0.08), (side * 0.2 + t, 0.15)], who.accent)


def duck(s: Sketch) -> None:
    pen, who = s.pen, s.who
    lift = s.stretch(0, -0.08, 0.08)
    s.coat_soft(
        [
            (-1.0, 0.0),
            (-0.62, 0.3),
            (0.1, 0.18),
            (0.66, 0.1),
            (0.78, 0.72),
            (0.4, 1.02),
            (-0.56, 1.02),
            (-0.9, 0.6),
        ]
    )
    s.coat_ellipse(0.3, -0.3 + lift, s.stretch(1, 0.4, 0.48), 0.44)
    pen.soft([(-0.5, 0.4), (0.16, 0.42), (0.1, 0.78), (-0.3, 0.82)], darker(who.main, 0.16))
    pen.soft([(0.62, -0.36 + lift), (1.04, -0.26 + lift), (1.04, -0.1 + lift), (0.62, -0.04 + lift)], who.accent)
    if s.face:
        pen.ellipse(0.42, -0.42 + lift, 0.08, 0.09, INK)
        pen.ellipse(0.4, -0.45 + lift, 0.03, 0.03, WHITE)
        pen.ellipse(0.3 + 0.3 * who.mark[0], 0.6, 0.11, 0.11, who.mark_colour)


def monster(s: Sketch) -> None:
    pen, who, t = s.pen, s.who, s.turn
    for side in (-1, 1):
        pen.poly([(side * 0.2, -0.6), (side * s.stretch(0, 0.3, 0.6), -1.02), (side * 0.5, -0.5)], who.accent)
        pen.line([(side * 0.5, 0.2), (side * 0.9, s.stretch(1, -0.2, 0.5))], 0.17, darker(who.main, 0.12))
        pen.box(side * 0.3 - 0.16, 0.8, side * 0.3 + 0.16, 1.0, darker(who.main, 0.25), 0.08)
    s.coat_soft([(-0.7, 0.95), (-0.74, -0.2), (-0.4, -0.86), (0.4, -0.86), (0.74, -0.2), (0.7, 0.95)])
    if s.face:
        if who.build[2] > 0:
            pen.ellipse(t, -0.24, 0.27, 0.27, WHITE)
            pen.ellipse(t, -0.22, 0.13, 0.14, INK)
        else:
            s.eyes(-0.26, 0.25, 0.1, white=True)
        pen.soft([(-0.42 + t, 0.2), (0.42 + t, 0.2), (0.3 + t, 0.52), (-0.3 + t, 0.52)], (96, 36, 56))
        for x in (-0.2, 0.0, 0.2):
            pen.poly([(x - 0.08 + t, 0.21), (x + 0.08 + t, 0.21), (x + t, 0.36)], WHITE)
        s.mark(0, 0.7, 0.12, 0.09)


def pile(s: Sketch) -> None:
    """The smiling swirl."""
    pen, who, t = s.pen, s.who, s.turn
    wide = s.stretch(0, 0.8, 0.94)
    s.coat_ellipse(0, 0.68, wide, 0.34)
    s.coat_ellipse(0.02, 0.22, wide * 0.74, 0.34)
    s.coat_soft([(-0.46, 0.0), (-0.3, -0.4), (0.06, -0.6), (0.1, -0.98), (0.36, -0.5), (0.5, -0.06), (0.2, 0.06)])
    s.eyes(0.16, 0.27, 0.1, white=True)
    if s.face:
        pen.soft([(-0.34 + t, 0.48), (0.34 + t, 0.48), (0.2 + t, 0.78), (-0.2 + t, 0.78)], WHITE)
        pen.ellipse((0.6 if who.mark[0] > 0 else -0.6) + t, 0.62, 0.12, 0.08, PINK)


def car(s: Sketch) -> None:
    pen, who = s.pen, s.who
    high = s.stretch(0, -0.42, -0.2)
    pen.line([(-0.6, 0.1), (-0.72, -0.8)], 0.03, INK)
    pen.ellipse(-0.72, -0.8, 0.06, 0.06, who.mark_colour)
    s.coat_soft([(-0.62, 0.2), (-0.4, high), (0.24, high), (0.6, 0.2)])
    pen.soft([(-0.44, 0.14), (-0.3, high + 0.1), (0.16, high + 0.1), (0.42, 0.14)], (190, 226, 244))
    s.coat_box(-1.0, 0.1, 1.0, 0.66, 0.2)
    pen.ellipse(0.93, 0.3, 0.08, 0.1, (252, 236, 150))
    s.mark(0.0, 0.36, 0.14, 0.14)
    for x in (-0.56, 0.56):
        r = s.stretch(1, 0.27, 0.36)
        pen.ellipse(x, 0.68, r, r, INK)
        pen.ellipse(x, 0.68, r * 0.5, r * 0.5, who.accent)


def robot(s: Sketch) -> None:
    pen, who, t = s.pen, s.who, s.turn
    steel = darker(who.main, 0.3)
    wide = s.stretch(0, 0.44, 0.56)
    pen.line([(0, -0.7), (0, -0.96)], 0.05, steel)
    pen.ellipse(0, -0.95, 0.09, 0.09, who.accent)
    for side in (-1, 1):
        pen.line([(side * wide, 0.1), (side * 0.84, s.stretch(1, 0.0, 0.5))], 0.13, steel)
        pen.ellipse(side * 0.84, s.stretch(1, 0.0, 0.5), 0.12, 0.12, who.accent)
        pen.box(side * 0.26 - 0.13, 0.6, side * 0.26 + 0.13, 1.0, steel, 0.04)
    s.coat_box(-wide, -0.06, wide, 0.76, 0.1)
    head = s.stretch(2, 0.38, 0.5)
    s.coat_box(-head, -0.74, head, -0.14, 0.1)
    s.eyes(-0.46, 0.19, 0.08, white=True)
    if s.face:
        pen.box(-0.2 + t, -0.28, 0.2 + t, -0.21, INK)
        pen.box(-0.3 + t, 0.08, 0.3 + t, 0.46, lighter(who.main, 0.5), 0.05)
        s.mark(0, 0.27, 0.12, 0.1)


TOYS = {"duck": duck, "monster": monster, "pile": pile, "car": car, "robot": robot}


def toy(s: Sketch) -> None:
    TOYS[s.who.form](s)


def cartoon(s: Sketch) -> None:
    """A paper-flat character with a thick outline."""
    pen, who, t = s.pen, s.who, s.turn
    wide, tall = s.stretch(0, 0.56, 0.72), s.stretch(1, 0.5, 0.62)
    for side in (-1, 1):
        pen.line([(side * 0.22, 0.5), (side * 0.28, 0.95)], 0.13, INK)
        pen.ellipse(side * 0.36, 0.95, 0.17, 0.08, INK)
        pen.line([(side * 0.5, 0.1), (side * 0.92, s.stretch(2, -0.3, 0.4))], 0.1, INK)
        pen.ellipse(side * 0.92, s.stretch(2, -0.3, 0.4), 0.11, 0.11, WHITE)
    if who.form == "imp":
        for side in (-1, 1):
            pen.poly([(side * 0.16, -0.5), (side * 0.62, -1.02), (side * 0.6, -0.3)], INK)
        body = [(wide * math.cos(a / 12 * math.pi), -0.02 + tall * math.sin(a / 12 * math.pi)) for a in range(24)]
    else:
        body = [
            (-wide, 0.6),
            (-wide, -0.3),
            (-0.5, -0.85),
            (0.1, -0.98),
            (0.6, -0.7),
            (wide, -0.1),
            (wide * 0.9, 0.62),
        ]
    pen.soft([(x * 1.11, y * 1.1) for x, y in body], INK)
    s.coat_soft(body)
    if s.face:
        for side in (-1, 1):
            pen.ellipse(side * 0.2 + t, -0.2, 0.19, 0.24, WHITE)
            pen.ellipse(side * 0.16 + t, -0.16, 0.08, 0.11, INK)
        pen.soft([(-0.34 + t, 0.16), (0.34 + t, 0.16), (0.14 + t, 0.46), (-0.14 + t, 0.46)], INK)
        pen.ellipse(t, 0.36, 0.12, 0.06, who.accent)
        s.mark(0, 0.1, 0.5, 0.09)
