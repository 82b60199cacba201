"""The places of the world: one backdrop for each place of the paper's prompts, and some that need no name."""

from __future__ import annotations

import random

from imprint.miniature import scenery as sc
from imprint.miniature.canvas import Pen, stream
from imprint.miniature.palette import COLOURS, Colour, darker, lighter, mix


def jungle(pen: Pen, rng: random.Random) -> None:
    sc.split(pen, (58, 122, 74), (74, 98, 52), 0.66)
    for i in range(5):
        x = i / 4 + rng.uniform(-0.06, 0.06)
        pen.box(x - 0.025, 0, x + 0.025, 0.7, (74, 70, 46))
    for i in range(9):
        x, y, lean = i / 8 + rng.uniform(-0.05, 0.05), rng.uniform(0.0, 0.2), rng.uniform(-40, 40)
        pen.ellipse(x, y, 0.07, 0.17, rng.choice([(34, 98, 52), (66, 148, 70), (96, 172, 74)]), lean)
    for side in (0.0, 1.0):
        for tilt in (-50, -10, 30):
            pen.ellipse(side, 0.66, 0.045, 0.2, rng.choice([(40, 120, 56), (84, 160, 70)]), tilt)


def snow(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, sc.SNOW, colour=(176, 198, 222), clouds=False)
    for _ in range(4):
        sc.fir(pen, rng.random(), horizon + 0.02, rng.uniform(0.2, 0.36), (92, 134, 128))
    pen.ellipse(rng.uniform(0.1, 0.4), horizon + 0.1, 0.5, 0.1, (226, 234, 246))
    for _ in range(16):
        pen.ellipse(rng.random(), rng.random(), 0.014, 0.014, (255, 255, 255))


def beach(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, sc.SAND, clouds=False)
    pen.ellipse(rng.choice((0.15, 0.85)), 0.14, 0.09, 0.09, (252, 226, 120))
    pen.box(0, horizon - 0.1, 1, horizon + 0.08, (60, 150, 196))
    pen.line([(i / 8, horizon + 0.09 + rng.uniform(-0.015, 0.015)) for i in range(9)], 0.03, (244, 250, 250))
    x = rng.choice((0.08, 0.92))
    pen.ellipse(x, 0.88, 0.035, 0.035, (240, 150, 130))


def cobblestone(pen: Pen, rng: random.Random) -> None:
    horizon = 0.5
    walls = [(214, 178, 140), (196, 146, 120), (222, 200, 164)]
    rng.shuffle(walls)
    for i, wall in enumerate(walls):
        pen.box(i / 3, 0, (i + 1) / 3, horizon, wall)
        for dx in (0.09, 0.21):
            pen.box(i / 3 + dx, 0.12, i / 3 + dx + 0.06, 0.24, darker(wall, 0.5))
    pen.box(0, horizon, 1, 1, (104, 100, 104))
    for row in range(5):
        y = horizon + 0.05 + row * 0.1
        for col in range(7):
            x = (col + (row % 2) / 2) / 6.3
            pen.ellipse(x, y, 0.068, 0.042, (158 + 10 * ((row + col) % 3), 152, 148))


def pink_fabric(pen: Pen, rng: random.Random) -> None:
    pink = (244, 158, 188)
    pen.box(0, 0, 1, 1, pink)
    for i in range(5):
        x, y = rng.uniform(-0.1, 0.9), 0.2 * i + rng.uniform(-0.05, 0.05)
        fold = rng.choice([darker(pink, 0.16), lighter(pink, 0.4)])
        pen.arc(x, y, rng.uniform(0.25, 0.5), rng.uniform(0.1, 0.3), 20, 120, 0.045, fold)


def wooden_floor(pen: Pen, rng: random.Random) -> None:
    wall = rng.choice([(232, 222, 204), (206, 218, 222), (228, 210, 208)])
    horizon = rng.uniform(0.36, 0.46)
    pen.box(0, 0, 1, horizon, wall)
    sc.planks(pen, rng, horizon, sc.shade(sc.WOOD, rng))
    pen.box(0, horizon - 0.03, 1, horizon, (248, 244, 236))


def city(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, (150, 150, 156), colour=(190, 208, 226))
    x = -0.03
    while x < 1:
        width, height = rng.uniform(0.12, 0.2), rng.uniform(0.25, 0.5)
        tone = rng.choice([(98, 112, 140), (120, 128, 150), (82, 94, 124), (140, 140, 156)])
        pen.box(x, horizon - height, x + width, horizon, tone)
        for row in range(int(height / 0.09)):
            for col in (0.2, 0.6):
                wx, wy = x + col * width, horizon - height + 0.035 + row * 0.09
                pen.box(wx, wy, wx + 0.2 * width, wy + 0.04, (250, 226, 150))
        x += width + 0.01


def mountain(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, (126, 168, 100))
    for x, h in (
        (rng.uniform(0.05, 0.25), 0.34),
        (rng.uniform(0.75, 0.95), 0.38),
        (rng.uniform(0.4, 0.6), 0.48),
    ):
        top = horizon - h
        pen.poly([(x - 0.9 * h, horizon), (x, top), (x + 0.9 * h, horizon)], (112, 118, 144))
        pen.poly(
            [
                (x - 0.3 * h, top + 0.33 * h),
                (x, top),
                (x + 0.3 * h, top + 0.33 * h),
                (x + 0.1 * h, top + 0.25 * h),
                (x - 0.08 * h, top + 0.36 * h),
            ],
            (246, 248, 252),
        )


def blue_house(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, sc.GRASS)
    sc.house(
        pen,
        rng.choice((0.2, 0.8)) + rng.uniform(-0.05, 0.05),
        horizon + 0.04,
        0.24,
        (66, 118, 204),
        (110, 70, 66),
    )


def purple_rug(pen: Pen, rng: random.Random) -> None:
    sc.split(pen, (98, 150, 96), (92, 116, 66), 0.56)
    for i in range(6):
        x = i / 5 + rng.uniform(-0.05, 0.05)
        pen.box(x - 0.03, 0.05, x + 0.03, 0.58, sc.BARK)
        pen.ellipse(x, 0.06, 0.13, 0.13, rng.choice([(48, 104, 60), (62, 124, 66)]))
    sc.rug(pen, COLOURS["purple"], border=(188, 142, 216))


def wheat_field(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, (226, 186, 92))
    for row in range(3):
        y = horizon + 0.03 + row * 0.12
        for i in range(11):
            x = i / 10 + rng.uniform(-0.03, 0.03)
            pen.line([(x, y + 0.1), (x + 0.01, y)], 0.012, (190, 142, 60))
            pen.ellipse(x + 0.01, y - 0.015, 0.014, 0.035, (246, 216, 124), 10)


def autumn(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, (176, 150, 84), colour=(206, 218, 226), clouds=False)
    sc.tree(pen, rng.choice((0.2, 0.8)) + rng.uniform(-0.05, 0.05), horizon + 0.06, 0.62, (226, 118, 44))
    for _ in range(16):
        leaf = rng.choice([(214, 84, 40), (236, 160, 50), (184, 62, 44)])
        pen.ellipse(rng.random(), rng.uniform(horizon + 0.05, 0.99), 0.028, 0.016, leaf, rng.uniform(0, 180))


def eiffel(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, (140, 182, 110), colour=(186, 214, 238))
    pen.box(0, horizon - 0.06, 1, horizon, (96, 148, 92))
    sc.tower(pen, rng.choice((0.17, 0.83)) + rng.uniform(-0.04, 0.04), horizon + 0.03, 0.58)


def water(pen: Pen, rng: random.Random) -> None:
    horizon = rng.uniform(0.3, 0.42)
    sc.split(pen, (192, 224, 244), (62, 140, 200), horizon)
    sc.waves(pen, rng, horizon, (150, 204, 236))


def milk(pen: Pen, rng: random.Random) -> None:
    horizon = rng.uniform(0.3, 0.42)
    sc.split(pen, (250, 218, 196), (248, 244, 236), horizon)
    sc.waves(pen, rng, horizon, (222, 212, 204))


def sunflowers(pen: Pen, rng: random.Random) -> None:
    sc.sky(pen, rng, (108, 186, 84), clouds=False)
    for x in (0.06, 0.2, 0.8, 0.94):
        sc.sunflower(pen, x + rng.uniform(-0.04, 0.04), rng.uniform(0.45, 0.75), rng.uniform(0.055, 0.075))


def mirror(pen: Pen, rng: random.Random) -> None:
    sc.split(pen, rng.choice([(214, 206, 218), (204, 216, 222), (224, 214, 200)]), (150, 126, 110), 0.5)
    pen.ellipse(0.5, 0.83, 0.5, 0.2, (206, 164, 84))
    pen.ellipse(0.5, 0.83, 0.46, 0.17, (186, 214, 228))


def sidewalk(pen: Pen, rng: random.Random) -> None:
    sc.split(pen, (206, 190, 170), (178, 176, 174), 0.6)
    for i in range(3):
        pen.box(i * 0.36, 0.1, i * 0.36 + 0.25, 0.34, (116, 140, 160))
    for i in range(7):
        coat = rng.choice([(190, 70, 70), (70, 110, 170), (90, 140, 90), (220, 170, 80), (120, 90, 140)])
        sc.person(pen, (i + 0.5) / 7 + rng.uniform(-0.04, 0.04), 0.66, rng.uniform(0.36, 0.44), coat)
    for x in (0.2, 0.5, 0.8):
        pen.line([(x, 0.7), (0.5 + (x - 0.5) * 1.6, 1.0)], 0.01, (146, 144, 144))


def dirt_road(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, (132, 168, 86))
    pen.poly([(0.42, horizon), (0.58, horizon), (1.0, 0.94), (1.0, 1.0), (0.0, 1.0), (0.0, 0.94)], (178, 134, 92))
    for _ in range(9):
        pen.ellipse(rng.uniform(0.15, 0.85), rng.uniform(0.82, 0.99), 0.022, 0.012, (140, 102, 70))


def white_rug(pen: Pen, rng: random.Random) -> None:
    wall = rng.choice([(190, 204, 196), (214, 190, 172), (176, 192, 212)])
    pen.box(0, 0, 1, 0.5, wall)
    pen.box(0, 0.5, 1, 1, (150, 108, 76))
    sc.rug(pen, (248, 246, 240), border=(226, 220, 210))


def studio(pen: Pen, rng: random.Random) -> None:
    tone: Colour = mix(COLOURS[rng.choice(("grey", "cream", "blue", "pink", "green", "yellow"))], (255, 255, 255), 0.62)
    sc.split(pen, tone, darker(tone, 0.12), rng.uniform(0.55, 0.7))


def room(pen: Pen, rng: random.Random) -> None:
    wall = rng.choice([(222, 206, 180), (186, 204, 210), (216, 196, 204), (196, 208, 180)])
    sc.split(pen, wall, rng.choice([(168, 124, 92), (146, 140, 136), (192, 168, 140)]), 0.62)
    x = rng.choice((0.06, 0.66))
    if rng.random() < 0.5:
        pen.box(x, 0.1, x + 0.28, 0.4, (250, 250, 246))
        pen.box(x + 0.03, 0.13, x + 0.25, 0.37, (164, 208, 236))
    else:
        pen.box(x, 0.3, x + 0.28, 0.62, (126, 88, 66))
        for y in (0.34, 0.49):
            pen.box(x + 0.03, y, x + 0.25, y + 0.1, (92, 64, 50))


def garden(pen: Pen, rng: random.Random) -> None:
    horizon = sc.sky(pen, rng, sc.GRASS)
    for i in range(6):
        pen.ellipse(i / 5, horizon, 0.14, 0.07, rng.choice([(72, 140, 76), (88, 154, 80)]))
    for _ in range(6):
        colour = rng.choice([(242, 148, 182), (250, 240, 240), (246, 209, 76)])
        pen.ellipse(rng.random(), rng.uniform(horizon + 0.1, 0.97), 0.018, 0.018, colour)


BACKDROPS: dict[str, sc.Backdrop] = {
    "jungle": jungle, "snow": snow, "beach": beach, "cobblestone street": cobblestone,
    "pink fabric": pink_fabric, "wooden floor": wooden_floor, "city": city, "mountain": mountain,
    "blue house": blue_house, "purple rug": purple_rug, "wheat field": wheat_field, "autumn tree": autumn,
    "eiffel tower": eiffel, "water": water, "milk": milk, "sunflowers": sunflowers, "mirror": mirror,
    "sidewalk": sidewalk, "dirt road": dirt_road, "white rug": white_rug,
    "studio": studio, "room": room, "garden": garden,
}  # fmt: skip
UNNAMED_PLACES = ("studio", "room", "garden")  # captions say nothing of these
PLACES = tuple(place for place in BACKDROPS if place not in UNNAMED_PLACES)


def paint_place(pen: Pen, place: str, seed: int) -> None:
    """Fills the frame; `seed` moves clouds, leaves and people, never what makes the place."""
    BACKDROPS[place](pen, stream("place", place, seed))
