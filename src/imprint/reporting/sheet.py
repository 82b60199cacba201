"""All pictures of a run on one: a row a prompt and seed, a column a step."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Protocol

from PIL import Image, ImageDraw, ImageFont

from imprint.pictures.files import open_picture

CELL = 160  # pixels on the longer side of a picture
MARGIN = 12
LABEL = 170
HEADER = 34
COLUMNS = 8
PAPER, INK, FAINT = (250, 250, 248), (32, 32, 36), (120, 120, 126)


class Entry(Protocol):
    @property
    def step(self) -> int: ...
    @property
    def prompt(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def file(self) -> str: ...


def contact_sheet(entries: Sequence[Entry], folder: Path) -> Image.Image:
    """The untuned model first. Of many steps, some evenly spread ones with the first and the last."""
    steps = spread(sorted({entry.step for entry in entries}), COLUMNS)
    rows = list(dict.fromkeys((entry.prompt, entry.seed) for entry in entries))
    files = {(entry.prompt, entry.seed, entry.step): folder / entry.file for entry in entries}
    stride = CELL + MARGIN
    sheet = Image.new("RGB", (LABEL + MARGIN + stride * len(steps), HEADER + MARGIN + stride * len(rows)), PAPER)
    draw = ImageDraw.Draw(sheet)
    title, text = ImageFont.load_default(14), ImageFont.load_default(12)
    for column, step in enumerate(steps):
        center = LABEL + MARGIN + stride * column + CELL // 2
        draw.text((center, HEADER - 2), "untuned" if step == 0 else f"step {step}", INK, title, anchor="ms")
    for row, (prompt, seed) in enumerate(rows):
        top = HEADER + MARGIN + stride * row
        lines = wrap(prompt, 24)[:6]
        draw.multiline_text((MARGIN, top), "\n".join(lines), INK, text, spacing=4)
        draw.text((MARGIN, top + 18 * len(lines) + 2), f"seed {seed}", FAINT, text)
        for column, step in enumerate(steps):
            file = files.get((prompt, seed, step))
            if file is not None and file.is_file():
                sheet.paste(fitted(file, CELL), (LABEL + MARGIN + stride * column, top))
    return sheet


def spread(values: Sequence[int], count: int) -> list[int]:
    """At most `count` of the values, evenly, with the first and the last."""
    if len(values) <= count:
        return list(values)
    return [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]


def fitted(file: Path, side: int) -> Image.Image:
    """Small pictures grow too, so that a sheet of 64-pixel pictures can be seen."""
    image = open_picture(file)
    size = tuple(round(length * side / max(image.size)) for length in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
