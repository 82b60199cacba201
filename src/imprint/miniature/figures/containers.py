"""Bowls, cans, candles, teapots and vases."""

from __future__ import annotations

from imprint.miniature.canvas import rounded_points, stream
from imprint.miniature.figures.sketch import INK, Sketch
from imprint.miniature.palette import COLOURS, Colour, darker, lighter

FLAME: Colour = (255, 196, 70)
TIN: Colour = (196, 200, 208)


def bowl(s: Sketch) -> None:
    pen, who = s.pen, s.who
    wide, deep = s.stretch(0, 0.86, 1.0), s.stretch(1, 0.7, 0.95)
    pen.ellipse(0, 0.05, wide, 0.26, darker(who.main, 0.35))
    if who.form == "berries":
        rng = stream("berries", who.pattern_seed)
        for row, y in enumerate((-0.16, -0.02)):
            for i in range(6 - row * -1):
                x = (i - 2.5 - row * 0.5) * 0.27
                pen.ellipse(
                    x,
                    y - 0.12 * (1 - abs(x)),
                    0.17,
                    0.17,
                    rng.choice([who.accent, darker(who.accent, 0.2), who.mark_colour]),
                )
    s.coat_soft(
        [
            (-wide, 0.05),
            (-0.86 * wide, 0.55),
            (-0.4, deep),
            (0.4, deep),
            (0.86 * wide, 0.55),
            (wide, 0.05),
            (0.5, 0.26),
            (-0.5, 0.26),
        ]
    )
    pen.box(-0.36, deep - 0.1, 0.36, deep + 0.05, darker(who.main, 0.25), 0.04)
    s.mark(0, 0.5, 0.25, 0.1)


def can(s: Sketch) -> None:
    pen, who = s.pen, s.who
    wide = s.stretch(0, 0.46, 0.54) if who.form == "tall" else s.stretch(0, 0.64, 0.76)
    top = s.stretch(1, -0.95, -0.8) if who.form == "tall" else s.stretch(1, -0.62, -0.45)
    pen.ellipse(0, 0.86, wide, 0.14, darker(TIN, 0.3))
    s.coat_box(-wide, top + 0.12, wide, 0.88, 0.06)
    pen.box(-wide, 0.8, wide, 0.88, darker(TIN, 0.15))
    pen.ellipse(0, top + 0.12, wide, 0.15, TIN)
    pen.ellipse(0, top + 0.11, wide * 0.78, 0.1, darker(TIN, 0.18))
    pen.ellipse(0.1, top + 0.1, 0.14, 0.05, lighter(TIN, 0.6))
    if s.face:
        pen.ellipse(s.turn, 0.1, wide * 0.6, 0.32, who.second)
        pen.ellipse(s.turn, 0.1, wide * 0.42, 0.22, who.accent)
    s.mark(0, 0.1, 0.16, 0.1)
    pen.box(-wide * 0.85, top + 0.3, -wide * 0.68, 0.7, lighter(who.main, 0.55), 0.05)


def candle(s: Sketch) -> None:
    pen, who = s.pen, s.who
    wide = s.stretch(0, 0.5, 0.66) if who.form == "jar" else s.stretch(0, 0.3, 0.42)
    top = s.stretch(1, -0.1, 0.15) if who.form == "jar" else s.stretch(1, -0.4, -0.15)
    pen.line([(0, top), (0, top - 0.2)], 0.06, INK)
    pen.soft([(-0.17, top - 0.24), (0, top - 0.72), (0.17, top - 0.24), (0, top - 0.08)], FLAME)
    pen.soft([(-0.08, top - 0.22), (0, top - 0.46), (0.08, top - 0.22), (0, top - 0.12)], (255, 244, 190))
    if who.form == "jar":
        s.coat_box(-wide, top, wide, 0.98, 0.12)
        pen.ellipse(0, top + 0.02, wide, 0.12, lighter(who.main, 0.5))
        if s.face:
            pen.box(-wide * 0.62 + s.turn, 0.36, wide * 0.62 + s.turn, 0.78, who.second, 0.06)
            pen.box(-wide * 0.4 + s.turn, 0.6, wide * 0.4 + s.turn, 0.67, who.accent)
        s.mark(0, 0.5, 0.14, 0.1)
    else:
        pen.ellipse(0, 0.92, 0.62, 0.12, who.accent)
        s.coat_box(-wide, top, wide, 0.94, 0.1)
        pen.ellipse(wide * 0.5 * (1 if who.mark[0] > 0 else -1), top + 0.2, 0.1, 0.24, lighter(who.main, 0.45))
        pen.ellipse(0, top + 0.02, wide, 0.1, lighter(who.main, 0.5))
        s.mark(0, 0.4, 0.12, 0.1)


def teapot(s: Sketch) -> None:
    pen, who = s.pen, s.who
    tall = who.form == "tall"
    wide, high = (s.stretch(0, 0.46, 0.54), 0.66) if tall else (s.stretch(0, 0.6, 0.7), 0.54)
    cy = 0.98 - high
    pen.arc(-wide, cy, 0.34, high * 0.6, 80, 280, s.stretch(1, 0.1, 0.15), darker(who.main, 0.15))
    reach = s.stretch(2, 0.9, 1.02)
    pen.soft(
        [
            (wide * 0.6, cy + 0.36),
            (reach - 0.12, cy - 0.1),
            (reach - 0.16, cy - 0.42),
            (reach + 0.04, cy - 0.46),
            (reach, cy),
            (wide * 0.7, cy + 0.5),
        ],
        darker(who.main, 0.1),
    )
    s.coat_ellipse(0, cy, wide, high)
    pen.box(-wide * 0.55, 0.9, wide * 0.55, 1.0, darker(who.main, 0.3), 0.04)
    pen.soft(
        [
            (-wide * 0.62, cy - high * 0.76),
            (-0.2, cy - high * 1.16),
            (0.2, cy - high * 1.16),
            (wide * 0.62, cy - high * 0.76),
        ],
        who.second,
    )
    pen.ellipse(0, cy - high * 1.14, 0.11, 0.11, who.accent)
    s.mark(0, cy + 0.05, 0.26, 0.13)
    pen.ellipse(-wide * 0.5, cy - high * 0.4, 0.09, 0.16, lighter(who.main, 0.6), 30)


def vase(s: Sketch) -> None:
    pen, who = s.pen, s.who
    rng = stream("stems", who.pattern_seed)
    neck = s.stretch(0, 0.16, 0.28)
    for x in (-0.3, 0.02, 0.32):
        lean, y = x + rng.uniform(-0.1, 0.1), rng.uniform(-0.95, -0.75)
        pen.line([(x * 0.3, -0.1), (lean, y)], 0.05, (72, 140, 76))
        for dx, dy in ((-0.1, 0), (0.1, 0), (0, -0.1), (0, 0.1)):
            pen.ellipse(lean + dx, y + dy, 0.1, 0.1, who.accent)
        pen.ellipse(lean, y, 0.08, 0.08, COLOURS["yellow"])
    if who.form == "bulb":
        wide = s.stretch(1, 0.5, 0.66)
        s.coat_soft(
            [
                (-neck * 1.3, -0.36),
                (-neck, -0.1),
                (-wide, 0.2),
                (-wide, 0.7),
                (-0.34, 1.04),
                (0.34, 1.04),
                (wide, 0.7),
                (wide, 0.2),
                (neck, -0.1),
                (neck * 1.3, -0.36),
            ]
        )
    else:
        wide = s.stretch(1, 0.36, 0.5)
        s.coat(rounded_points(-0.26, 0.78, 0.26, 1.0, 0.05))
        s.coat_soft([(-wide, -0.4), (-wide, -0.4), (-neck, 0.95), (neck, 0.95), (wide, -0.4), (wide, -0.4)])
    pen.ellipse(0, -0.34, neck * 1.2 if who.form == "bulb" else wide * 0.98, 0.07, darker(who.main, 0.4))
    s.mark(0, 0.42, 0.2, 0.11)
