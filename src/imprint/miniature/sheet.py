"""Draws contact sheets of the world into a folder.

    python -m imprint.miniature sheet world/ --what places styles
    python -m imprint.miniature sheet world/ --subject dog6

    python -m imprint.miniature sheet world/ --what engravings --size 128

Without `--what`, all: classes, subjects, places, properties, accessories, styles, views, engravings, and, as
`in_all_places`, the subject named by `--subject` wherever it can be. Larger pictures show what small ones cannot; the
first of each row is then drawn small as well, at its left, as it looks enlarged.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from imprint.miniature.canvas import SIZE, stream
from imprint.miniature.export import DRAWABLE, scenes_of
from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.figures.catalogue import WEARERS
from imprint.miniature.places import BACKDROPS
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.renderer import draw
from imprint.miniature.scene import NOUNS, STYLES, UNSEEN_STYLES, VIEWS, Pose, Scene, Subject
from imprint.miniature.subjects import NAMED_SUBJECTS, for_pretraining, from_seed, named

Row = tuple[str, list[Scene]]  # what its label says, and its pictures
GAP = 2
LETTERS = 11  # pixels high


def classes(_: Subject) -> list[Row]:
    return [
        (noun, [Scene(for_pretraining(noun, stream("sheet", noun, i)), "studio", seed=i) for i in range(10)])
        for noun in NOUNS
    ]


def subjects(_: Subject) -> list[Row]:
    some = ("studio", "beach", "wooden floor", "jungle", "snow", "eiffel tower")
    return [(name, [Scene(named(name), place, seed=i) for i, place in enumerate(some)]) for name in NAMED_SUBJECTS]


def places(_: Subject) -> list[Row]:
    some = [named(name) for name in ("dog6", "teapot", "backpack", "cat2", "duck_toy", "vase")]
    return [(place, [Scene(who, place, seed=i) for i, who in enumerate(some)]) for place in BACKDROPS]


def properties(_: Subject) -> list[Row]:
    some = [named(name) for name in ("dog", "cat", "teapot", "rc_car", "clock", "bear_plushie", "can", "fancy_boot")]
    return [(what, [Scene(who, "room", attribute=what) for who in some]) for what in ("", *PROPERTIES)]


def accessories(_: Subject) -> list[Row]:
    some = [named(name) for name in ("dog", "cat2", "wolf_plushie", "red_cartoon")]
    first = [Scene(who, "garden") for who in some]
    turned = [replace(first[0], view=view) for view in VIEWS[1:]]
    return [(what, [replace(scene, attribute=what) for scene in first + turned]) for what in ("", *ACCESSORIES)]


def styles(_: Subject) -> list[Row]:
    some = [named(name) for name in ("dog6", "cat", "teapot", "duck_toy", "shiny_sneaker", "vase")]
    return [(style, [Scene(who, "mountain", style=style) for who in some]) for style in STYLES + UNSEEN_STYLES]


def views(_: Subject) -> list[Row]:
    some = [from_seed(noun, 1) for noun in NOUNS]
    return [(view, [Scene(who, "city", view=view) for who in some]) for view in VIEWS]


def engravings(_: Subject) -> list[Row]:
    some = ("dog6", "cat2", "bear_plushie", "backpack", "teapot", "shiny_sneaker", "vase", "monster_toy")
    poses = (Pose(scale=0.4), Pose(x=0.46, y=0.6, scale=0.34, angle=5.0), Pose(y=0.6, scale=0.37, mirrored=True))
    there = list(zip(("studio", "beach", "room"), poses, strict=True))
    return [(name, [Scene(named(name), place, pose=pose) for place, pose in there]) for name in some]


def in_all_places(who: Subject) -> list[Row]:
    rows = [(place, [Scene(who, place, view=view) for view in VIEWS]) for place in BACKDROPS]
    worn = ACCESSORIES if who.noun in WEARERS else ()
    return rows + [(what, [Scene(who, "room", attribute=what, view=v) for v in VIEWS]) for what in (*PROPERTIES, *worn)]


SHEETS: dict[str, Callable[[Subject], list[Row]]] = {
    f.__name__: f
    for f in (classes, subjects, places, properties, accessories, styles, views, engravings, in_all_places)
}


def grid(rows: Sequence[Sequence[Image.Image]], *, zoom: int = 1) -> Image.Image:
    """Pictures in rows, on white, all as large as the largest."""
    side = max(picture.width for row in rows for picture in row) * zoom
    sheet = Image.new("RGB", (max(map(len, rows)) * (side + GAP) + GAP, len(rows) * (side + GAP) + GAP), "white")
    for j, row in enumerate(rows):
        for i, picture in enumerate(row):
            enlarged = picture.resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (GAP + i * (side + GAP), GAP + j * (side + GAP)))
    return sheet


def labelled(sheet: Image.Image, labels: Sequence[str], *, title: str) -> Image.Image:
    """`sheet` under a title, with a label to the left of each of its rows, which are equally high."""
    font = ImageFont.load_default(LETTERS)
    left, top = 10 + round(max(font.getlength(text) for text in labels)), 2 * LETTERS
    page = Image.new("RGB", (left + sheet.width, top + sheet.height), "white")
    page.paste(sheet, (left, top))
    pen, height = ImageDraw.Draw(page), (sheet.height - GAP) / len(labels)
    pen.text((left + GAP, LETTERS), title, fill="black", font=font, anchor="lm")
    for i, text in enumerate(labels):
        pen.text((left - 5, top + (i + 0.5) * height), text, fill="black", font=font, anchor="rm")
    return page


def contact_sheet(what: str, who: Subject, *, zoom: int, size: int = SIZE) -> Image.Image:
    labels, scenes = zip(*SHEETS[what](who), strict=True)
    title = who.name if what == "in_all_places" else what
    small = [[draw(row[0])] if size > SIZE else [] for row in scenes]
    pictures = [[*first, *(draw(scene, size) for scene in row)] for first, row in zip(small, scenes, strict=True)]
    return labelled(grid(pictures, zoom=zoom), labels, title=title)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)
    parser.add_argument("--what", nargs="+", choices=list(SHEETS), default=list(SHEETS), metavar="SHEET", help="which")
    parser.add_argument("--subject", default="dog6", help="of in_all_places: one of the thirty, or class:number")
    parser.add_argument("--zoom", type=int, choices=range(1, 9), default=1, metavar="1-8")
    parser.add_argument("--size", type=int, choices=DRAWABLE, default=SIZE, metavar="PX", help="of a picture's side")


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    try:
        who = scenes_of(arguments.subject)[0].subject
    except KeyError as error:
        parser.error(f"--subject: {error.args[0]}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for what in arguments.what:
        path = arguments.folder / f"{what}.png"
        contact_sheet(what, who, zoom=arguments.zoom, size=arguments.size).save(path, optimize=True)
        print(f"wrote {path} (pictures of {arguments.size * arguments.zoom} px)")
