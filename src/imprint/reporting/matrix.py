"""A grid of pictures along two axes: as a picture, and as a page that needs nothing but itself."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from imprint.pictures.files import open_picture
from imprint.reporting.sheet import FAINT, INK, PAPER, fitted
from imprint.reporting.thumbnails import picture_page

SMALLEST, LARGEST = 128, 512  # pixels on the longer side of a picture
MARGIN, GAP, SEED_GAP = 24, 12, 4
EMPTY = (236, 235, 231)


class MatrixPicture(NamedTuple):
    x: str
    y: str
    seed: int
    file: Path | None  # None: there is no such picture
    about: str


class Matrix(NamedTuple):
    """All pictures of a prompt."""

    prompt: str  # empty: it is an axis
    x_heading: str
    x_labels: tuple[str, ...]
    y_heading: str  # empty: there is one row
    y_labels: tuple[str, ...]
    seeds: tuple[int, ...]  # empty: they are an axis
    pictures: Sequence[MatrixPicture]

    def cell(self, x: str, y: str) -> list[MatrixPicture]:
        return [picture for picture in self.pictures if (picture.x, picture.y) == (x, y)]


def sheet(matrix: Matrix) -> Image.Image:
    """With its axes named, every value at its row or column, and the seeds of a cell side by side."""
    title, text = ImageFont.load_default(20), ImageFont.load_default(16)
    side = _side(matrix)
    count = max(len(matrix.cell(x, y)) for x in matrix.x_labels for y in matrix.y_labels)
    cell = side * count + SEED_GAP * (count - 1)
    rows = ["\n".join(wrap(label, 22)) for label in matrix.y_labels]
    columns = ["\n".join(wrap(label, max(8, cell // 9))) for label in matrix.x_labels]
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    y_text = f"{matrix.y_heading} (down)" if matrix.y_heading else ""
    left = MARGIN + max(int(measure.multiline_textbbox((0, 0), label, text)[2]) for label in [*rows, y_text]) + GAP
    left = left if matrix.y_heading else MARGIN
    width = left + (cell + GAP) * len(columns) - GAP + MARGIN
    heading = "\n".join(wrap(_title(matrix), max(20, (width - 2 * MARGIN) // 10)))
    head = MARGIN + int(measure.multiline_textbbox((0, 0), heading or " ", title)[3]) + GAP
    labels = max(int(measure.multiline_textbbox((0, 0), label or " ", text)[3]) for label in columns)
    top = head + 24 + labels + GAP
    page = Image.new("RGB", (width, top + (side + GAP) * len(rows) - GAP + MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    draw.multiline_text((MARGIN, MARGIN), heading, INK, title)
    draw.text((left, head), matrix.x_heading, FAINT, text)
    if y_text:
        draw.text((MARGIN, head + 24), y_text, FAINT, text)
    for column, label in enumerate(columns):
        draw.multiline_text((left + (cell + GAP) * column, head + 24), label, INK, text)
    for row, label in enumerate(rows):
        y = top + (side + GAP) * row
        draw.multiline_text((MARGIN, y + side // 2), label, INK, text, anchor="lm")
        for column, x_label in enumerate(matrix.x_labels):
            for number, picture in enumerate(matrix.cell(x_label, matrix.y_labels[row])):
                place = (left + (cell + GAP) * column + (side + SEED_GAP) * number, y)
                there = picture.file if picture.file is not None and picture.file.is_file() else None
                page.paste(fitted(there, side) if there else _empty(side, "no run", text), place)
    return page


def grid_page(title: str, matrices: Sequence[Matrix]) -> str:
    files = [each.file for matrix in matrices for each in matrix.pictures if each.file]
    return picture_page("grid.html.j2", files, title=title, matrices=matrices)


def _empty(side: int, text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> Image.Image:
    image = Image.new("RGB", (side, side), EMPTY)
    ImageDraw.Draw(image).text((side // 2, side // 2), text, FAINT, font, anchor="mm")
    return image


def _side(matrix: Matrix) -> int:
    """As large as the pictures are, within reason."""
    for picture in matrix.pictures:
        if picture.file is not None and picture.file.is_file():
            return min(max(*open_picture(picture.file).size, SMALLEST), LARGEST)
    return SMALLEST


def _title(matrix: Matrix) -> str:
    seeds = ", ".join(map(str, matrix.seeds))
    seed_text = f"seed{'s' if len(matrix.seeds) > 1 else ''} {seeds}" if seeds else ""
    return " · ".join(part for part in (matrix.prompt, seed_text) if part)
