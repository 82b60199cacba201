"""A sheet of enlarged pictures: each low one, and what bicubic interpolation and the upscalers that were tried on it
made of it, whole and cut out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imprint.pictures.files import open_picture
from imprint.pictures.low import LOW
from imprint.pictures.store import INDEX, read_index
from imprint.reporting.contact_sheets import BACKGROUND, GAP, INK, MARGIN

UPSCALER = "upscaler"  # in an entry of an index: what enlarged the picture
FOLDER, FILE = "upscaling", "sheet.png"  # in the folder of the pictures, which are listed one by one
SIDE = 256  # pixels on the longer side of a picture on the sheet
MOST = 8  # low pictures on it
CUT = 3  # the cut-out's sides are those of the picture divided by this
LETTERS = 30  # in a line of a heading

Box = tuple[int, int, int, int]


class Enlarged(NamedTuple):
    """`large` are by what enlarged them; `box` is what is cut out of them, None: where they add most."""

    low: Image.Image
    large: Mapping[str, Image.Image]
    truth: Image.Image | None = None
    box: Box | None = None

    def columns(self) -> dict[str, Image.Image]:
        """All of one size."""
        size = next(iter(self.large.values())).size
        truth = {} if self.truth is None else {"truth": self.truth}
        return {
            "low": self.low.resize(size, Image.Resampling.NEAREST),
            "bicubic": interpolated(self.low, size),
            **self.large,
            **truth,
        }

    def cut(self) -> Box:
        return self.box or where_they_add_most(self.low, list(self.large.values()))


def interpolated(low: Image.Image, size: tuple[int, int]) -> Image.Image:
    """At this width and height, by bicubic interpolation: what needs no network."""
    return low.resize(size, Image.Resampling.BICUBIC)


def where_they_add_most(low: Image.Image, large: Sequence[Image.Image]) -> Box:
    """The part of the large pictures that is least like what interpolation makes of the low one."""
    width, height = large[0].size
    least = np.asarray(interpolated(low, (width, height)), dtype=float)
    added_HW = sum(np.abs(np.asarray(picture, dtype=float) - least).mean(axis=2) for picture in large)
    down, across = max(1, height // CUT), max(1, width // CUT)
    sums = np.pad(np.asarray(added_HW).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    windows = sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across] + sums[:-down, :-across]
    top, left = (int(place) for place in np.unravel_index(windows.argmax(), windows.shape))
    return left, top, left + across, top + down


def sheet_of(rows: Sequence[Enlarged]) -> Image.Image:
    """Two lines for each: the whole, and what is cut out. A column for each that made any of them."""
    font = ImageFont.load_default(16)
    shown = [(row.columns(), row.cut()) for row in rows[:MOST]]
    names = list(dict.fromkeys(name for columns, _ in shown for name in columns if name != "truth"))
    names += ["truth"] if any("truth" in columns for columns, _ in shown) else []
    headings = ["\n".join(wrap(name, LETTERS)) for name in names]
    top = MARGIN + max(heading.count("\n") + 1 for heading in headings) * 20 + GAP
    page_width = 2 * MARGIN + len(names) * (SIDE + GAP) - GAP
    page = Image.new("RGB", (page_width, top + len(shown) * 2 * (SIDE + GAP) - GAP + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(page)
    for column, heading in enumerate(headings):
        draw.multiline_text((MARGIN + column * (SIDE + GAP), MARGIN), heading, INK, font)
    for number, (columns, box) in enumerate(shown):
        for column, name in enumerate(names):
            if name in columns:
                left, line = MARGIN + column * (SIDE + GAP), top + number * 2 * (SIDE + GAP)
                page.paste(_fitted(columns[name], Image.Resampling.LANCZOS), (left, line))
                page.paste(_fitted(columns[name].crop(box), Image.Resampling.NEAREST), (left, line + SIDE + GAP))
    return page


def enlarged_in(folder: Path) -> tuple[list[Enlarged], list[Path]]:
    """Those of a folder, by its index, and all files that they lie in. Raises UserError where it cannot be read."""
    _, entries = read_index(folder / INDEX)
    by_low: dict[str, dict[str, str]] = {}
    for entry in entries:
        if isinstance(entry.get(UPSCALER), Mapping) and isinstance(entry.get(LOW), str) and entry.get("state") == "ok":
            by_low.setdefault(entry[LOW], {})[label_of(entry[UPSCALER])] = entry["file"]
    there = {low: made for low, made in list(by_low.items())[:MOST] if (folder / low).is_file()}
    rows = [
        Enlarged(open_picture(folder / low), {name: open_picture(folder / file) for name, file in made.items()})
        for low, made in there.items()
    ]
    return rows, [folder / file for low, made in there.items() for file in (low, *made.values())]


def pairs_file(subject: str) -> str:
    """Of a run's photos that were enlarged again, of one of its subjects; a run of one needs no name."""
    return f"pairs-{subject}.png" if subject else "pairs.png"


def sheets_of(folder: Path) -> list[Path]:
    """Those of a run: of its photos, and of what `imprint generate` enlarged of its pictures."""
    places = (folder / FOLDER, folder / "generated" / FOLDER)
    return [file for place in places for file in sorted(place.glob("*.png"))]


def label_of(told: Mapping[str, Any]) -> str:
    """An upscaler, by what an index says of it."""
    run = str(told.get("run") or "untuned")
    return f"{run}, level {told.get('level', 0)}"


def _fitted(picture: Image.Image, resampling: Image.Resampling) -> Image.Image:
    scale = SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), resampling)
