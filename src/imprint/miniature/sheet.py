"""Draws contact sheets of the world: `python -m imprint.miniature.sheet out.png --what places`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from imprint.miniature.canvas import SIZE, stream
from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.places import BACKDROPS
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.renderer import draw
from imprint.miniature.scene import NOUNS, STYLES, UNSEEN_STYLES, VIEWS, Scene
from imprint.miniature.subjects import NAMED_SUBJECTS, for_pretraining, named


def grid(rows: Sequence[Sequence[Image.Image]], *, zoom: int = 1, gap: int = 2) -> Image.Image:
    """Pictures of one size in rows, on white."""
    side = rows[0][0].width * zoom
    sheet = Image.new("RGB", (max(len(r) for r in rows) * (side + gap) + gap, len(rows) * (side + gap) + gap), "white")
    for j, row in enumerate(rows):
        for i, picture in enumerate(row):
            enlarged = picture.resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (gap + i * (side + gap), gap + j * (side + gap)))
    return sheet


def in_rows(pictures: Sequence[Image.Image], width: int) -> list[list[Image.Image]]:
    return [list(pictures[i : i + width]) for i in range(0, len(pictures), width)]


def classes() -> list[list[Image.Image]]:
    return [
        [draw(Scene(for_pretraining(noun, stream("sheet", noun, i)), "studio", seed=i)) for i in range(10)]
        for noun in NOUNS
    ]


def subjects() -> list[list[Image.Image]]:
    places = ("studio", "beach", "wooden floor", "jungle")
    return in_rows([draw(Scene(named(n), p, seed=i)) for n in NAMED_SUBJECTS for i, p in enumerate(places)], 16)


def places() -> list[list[Image.Image]]:
    return [
        [draw(Scene(named(n), p, seed=i)) for i, n in enumerate(("dog6", "teapot", "backpack", "cat2"))]
        for p in BACKDROPS
    ]


def attributes() -> list[list[Image.Image]]:
    rows = [
        [
            draw(Scene(named(n), "room", attribute=a))
            for n in ("dog", "cat", "teapot", "rc_car", "clock", "bear_plushie")
        ]
        for a in PROPERTIES
    ]
    return rows + [
        [
            draw(Scene(named(n), "garden", attribute=a, view=v))
            for n, v in (
                ("dog", "front"),
                ("cat2", "front"),
                ("dog8", "from the side"),
                ("dog7", "from behind"),
                ("wolf_plushie", "front"),
                ("red_cartoon", "front"),
            )
        ]
        for a in ACCESSORIES
    ]


def styles() -> list[list[Image.Image]]:
    who = [named(n) for n in ("dog6", "cat", "teapot", "duck_toy", "shiny_sneaker", "vase")]
    rows = [[draw(Scene(w, "mountain", style=s)) for w in who] for s in STYLES + UNSEEN_STYLES]
    return rows + [[draw(Scene(w, "city", view=v)) for w in who] for v in VIEWS]


SHEETS = {f.__name__: f for f in (classes, subjects, places, attributes, styles)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--what", choices=sorted(SHEETS), default="subjects")
    parser.add_argument("--zoom", type=int, default=1)
    arguments = parser.parse_args()
    grid(SHEETS[arguments.what](), zoom=arguments.zoom).save(arguments.out)
    print(f"wrote {arguments.out} ({arguments.what}, pictures of {SIZE * arguments.zoom} px)")


if __name__ == "__main__":
    main()
