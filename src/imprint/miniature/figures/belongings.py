"""Backpacks, clocks, sneakers, boots and glasses."""

from __future__ import annotations

import math

from imprint.miniature.canvas import ellipse_points, rounded_points, smooth_points
from imprint.miniature.figures.sketch import INK, WHITE, Sketch
from imprint.miniature.palette import Colour, darker, lighter, mix

RUBBER: Colour = (240, 236, 226)


def backpack(s: Sketch) -> None:
    pen, who, t = s.pen, s.who, s.turn
    wide, high = s.stretch(0, 0.58, 0.7), s.stretch(1, -0.86, -0.7)
    dark = darker(who.main, 0.35)
    pen.arc(0, high, 0.2, 0.2, 180, 360, 0.09, dark)
    for side in (-1, 1):
        pen.line(
            [(side * wide * 0.9, -0.4), (side * (wide + 0.2), 0.2), (side * wide * 0.95, 0.8)],
            0.13,
            who.second,
        )
    s.coat_soft(
        [
            (-wide, 1.02),
            (-wide * 1.06, 0.2),
            (-wide * 0.9, high),
            (wide * 0.9, high),
            (wide * 1.06, 0.2),
            (wide, 1.02),
        ]
    )
    if not s.face:
        for side in (-1, 1):
            pen.line([(side * 0.26, high + 0.2), (side * 0.34, 0.85)], 0.15, who.second)
        return
    if who.form == "dog":
        for side in (-1, 1):
            pen.ellipse(side * wide * 0.92 + t, -0.3, 0.17, 0.32, who.second, side * -16)
        s.eyes(-0.36, 0.24, 0.09)
        pen.ellipse(t, -0.06, 0.26, 0.2, who.second)
        pen.ellipse(t, -0.14, 0.11, 0.08, INK)
    else:
        pen.arc(t, -0.12, wide * 0.72, 0.4, 190, 350, 0.045, dark)
        pen.ellipse(t + 0.5 * wide, -0.24, 0.06, 0.09, who.accent)
    pen.box(-wide * 0.68 + t, 0.3, wide * 0.68 + t, 0.86, who.second, 0.12)
    pen.box(-wide * 0.68 + t, 0.42, wide * 0.68 + t, 0.48, darker(who.second, 0.35))
    pen.box(-0.06 + t, 0.42, 0.06 + t, 0.6, who.accent)
    s.mark(0, 0.0 if who.form == "plain" else 0.7, 0.34 if who.form == "plain" else 0.1, 0.12)


def clock(s: Sketch) -> None:
    pen, who, t = s.pen, s.who, s.turn
    r = s.stretch(0, 0.64, 0.74)
    cy = 0.18 if who.form == "alarm" else 0.0
    if who.form == "alarm":
        for side in (-1, 1):
            pen.ellipse(side * 0.44, cy - r * 0.98, 0.25, 0.17, who.accent, side * 30)
            pen.line([(side * 0.36, cy + r * 0.7), (side * 0.52, 1.0)], 0.12, darker(who.main, 0.3))
        s.coat_ellipse(0, cy, r, r)
    elif who.build[1] > 0:
        s.coat(rounded_points(-r - 0.12, cy - r - 0.12, r + 0.12, cy + r + 0.12, 0.14))
    else:
        s.coat(ellipse_points(0, cy, r + 0.16, r + 0.16, 22.5, 8))
    if not s.face:
        pen.box(-0.2, cy - 0.2, 0.2, cy + 0.2, darker(who.main, 0.4), 0.05)
        return
    dial = r * s.stretch(2, 0.7, 0.82)
    pen.ellipse(t, cy, dial, dial, mix(WHITE, who.second, 0.25))
    for hour in range(0, 12, 3):
        a = math.radians(30 * hour)
        pen.ellipse(t + 0.78 * dial * math.sin(a), cy - 0.78 * dial * math.cos(a), 0.05, 0.05, who.second)
    # The hands are part of the individual: this clock has stopped.
    for share, length, width in ((who.mark[0], 0.46, 0.09), (who.mark[1], 0.7, 0.06)):
        a = math.pi * share
        pen.line([(t, cy), (t + length * dial * math.sin(a), cy - length * dial * math.cos(a))], width, INK)
    pen.ellipse(t, cy, 0.07, 0.07, who.accent)


def sneaker(s: Sketch) -> None:
    pen, who = s.pen, s.who
    ankle = -0.5 if who.form == "high" else s.stretch(0, -0.22, -0.05)
    thick = s.stretch(1, 0.14, 0.24)
    upper = [
        (-0.92, 0.8),
        (-0.92, ankle + 0.1),
        (-0.78, ankle),
        (-0.2, ankle),
        (0.02, 0.06),
        (0.5, 0.3),
        (0.96, 0.44),
        (1.02, 0.8),
    ]
    s.coat_soft(upper)
    pen.soft([(0.5, 0.78), (0.6, 0.42), (0.98, 0.5), (1.0, 0.78)], who.second)
    pen.soft(
        [(-0.9, ankle + 0.02), (-0.24, ankle), (-0.28, ankle + 0.16), (-0.9, ankle + 0.18)],
        darker(who.main, 0.4),
    )
    pen.box(-0.98, 0.78, 1.04, 0.78 + thick, RUBBER, 0.08)
    pen.box(-0.98, 0.84 + thick * 0.2, 1.04, 0.84 + thick * 0.5, who.accent)
    for i in range(4 if who.form == "high" else 3):
        x, y = 0.28 - 0.14 * i, 0.2 - 0.17 * i
        pen.line([(x - 0.14, y - 0.04), (x + 0.12, y + 0.08)], 0.065, WHITE)
    if s.face:
        pen.line([(-0.66, 0.56), (-0.4, 0.62), (-0.02 + 0.2 * who.mark[0], 0.3)], 0.1, who.accent)
        pen.ellipse(-0.66, 0.26 + 0.1 * who.mark[1], 0.12, 0.12, who.mark_colour)


def boot(s: Sketch) -> None:
    pen, who = s.pen, s.who
    top, wide = s.stretch(0, -0.98, -0.74), s.stretch(1, 0.28, 0.38)
    heel = 0.22 if who.form == "heeled" else 0.1
    pen.box(-0.56, 0.72, -0.56 + (0.26 if who.form == "heeled" else 1.2), 1.0, darker(who.main, 0.5))
    pen.box(-0.5, 0.88, 0.86, 1.0, darker(who.main, 0.5), 0.05)
    leg = [
        (-0.58, 0.98 - heel),
        (-0.2 - wide, 0.3),
        (-0.2 - wide, top),
        (-0.2 - wide, top),
        (-0.1 + wide, top),
        (-0.1 + wide, top),
        (0.1, 0.22),
        (0.6, 0.42),
        (0.9, 0.66),
        (0.86, 0.92),
    ]
    s.coat(smooth_points(leg))
    pen.box(-0.24 - wide, top, -0.06 + wide, top + s.stretch(2, 0.14, 0.26), who.second, 0.05)
    pen.soft([(0.4, 0.9), (0.46, 0.5), (0.84, 0.66), (0.86, 0.9)], darker(who.main, 0.3))
    if s.face:
        for y in (-0.3, -0.06, 0.18):
            pen.line([(0.0, y), (0.2, y + 0.06)], 0.065, who.accent)
        pen.ellipse(-0.3, 0.5, 0.13, 0.13, who.mark_colour)
        pen.ellipse(-0.3, 0.5, 0.06, 0.06, lighter(who.mark_colour, 0.6))


def glasses(s: Sketch) -> None:
    pen, who = s.pen, s.who
    r, apart, bar = s.stretch(0, 0.36, 0.44), 0.5, s.stretch(1, 0.09, 0.14)
    for side in (-1, 1):
        pen.line([(side * (apart + r * 0.9), 0.06), (side * 1.02, -0.06), (side * 0.9, -0.42)], bar, who.second)
    pen.line([(-0.2, 0.1), (0, 0.02), (0.2, 0.1)], bar, who.main)
    for side in (-1, 1):
        cx, tall = side * apart, r * s.stretch(2, 0.85, 1.05)
        if who.form == "round":
            outer, inner = ellipse_points(cx, 0.2, r, tall), ellipse_points(cx, 0.2, r - bar, tall - bar)
        else:
            outer = rounded_points(cx - r, 0.2 - tall, cx + r, 0.2 + tall, 0.12)
            inner = rounded_points(cx - r + bar, 0.2 - tall + bar, cx + r - bar, 0.2 + tall - bar, 0.08)
        s.coat(outer, shade=False)
        pen.poly(inner, who.accent if who.build[4] > 0 else darker(who.accent, 0.55))
        pen.line([(cx - 0.12, 0.3), (cx + 0.1, 0.06)], 0.05, lighter(who.accent, 0.75))
    pen.ellipse(0.86 if who.mark[0] > 0 else -0.86, 0.02, 0.08, 0.08, who.mark_colour)
