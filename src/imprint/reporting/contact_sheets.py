"""Contact sheets: pictures along two labelled axes, as one picture."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple, Protocol, TypeVar

from PIL import Image, ImageDraw, ImageFont

from imprint.pictures.files import open_picture

SMALLEST, LARGEST = 128, 512  # pixels on the longer side of a picture
SAMPLE_SIDE = 160  # the same, of a run's samples
MOST_STEPS = 8  # columns of a run's samples
MARGIN, GAP, SEED_GAP = 24, 12, 4
BACKGROUND, INK, FAINT, EMPTY = (250, 250, 248), (32, 32, 36), (120, 120, 126), (236, 235, 231)
T = TypeVar("T")
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


class SheetPicture(NamedTuple):
    x: str
    y: str
    seed: int
    file: Path | None  # None: there is no such picture
    about: str


class ContactSheet(NamedTuple):
    """All pictures of a prompt."""

    prompt: str  # empty: it is an axis
    x_heading: str
    x_labels: tuple[str, ...]
    y_heading: str  # empty: there is one row
    y_labels: tuple[str, ...]
    seeds: tuple[int, ...]  # empty: they are an axis
    pictures: Sequence[SheetPicture]

    def cell(self, x: str, y: str) -> list[SheetPicture]:
        return [picture for picture in self.pictures if (picture.x, picture.y) == (x, y)]


class Sample(Protocol):
    @property
    def step(self) -> int: ...
    @property
    def prompt(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def file(self) -> str: ...


def render(sheet: ContactSheet, *, missing: str = "not drawn", side: int | None = None) -> Image.Image:
    """With its axes named, every value at its row or column, and the seeds of a cell side by side.

    `missing` is the text in place of a picture without a file. Without `side`, pictures are as large as their files,
    within limits.
    """
    title, text = ImageFont.load_default(20), ImageFont.load_default(16)
    side = side or _side_of_files(sheet)
    count = max(len(sheet.cell(x, y)) for x in sheet.x_labels for y in sheet.y_labels)
    cell = side * count + SEED_GAP * (count - 1)
    rows = ["\n".join(wrap(label, 22)) for label in sheet.y_labels]
    columns = ["\n".join(wrap(label, max(8, cell // 9))) for label in sheet.x_labels]
    y_text = f"{sheet.y_heading} (down)" if sheet.y_heading else ""
    widest = max(_size(label, text)[0] for label in [*rows, y_text])
    left = MARGIN + widest + GAP if sheet.y_heading else MARGIN
    width = left + (cell + GAP) * len(columns) - GAP + MARGIN
    heading = "\n".join(wrap(_title(sheet), max(20, (width - 2 * MARGIN) // 10)))
    head = MARGIN + (_size(heading, title)[1] + GAP if heading else 0)
    top = head + 24 + max(_size(label or " ", text)[1] for label in columns) + GAP
    page = Image.new("RGB", (width, top + (side + GAP) * len(rows) - GAP + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(page)
    draw.multiline_text((MARGIN, MARGIN), heading, INK, title)
    draw.text((left, head), sheet.x_heading, FAINT, text)
    draw.text((MARGIN, head + 24), y_text, FAINT, text)
    for column, label in enumerate(columns):
        draw.multiline_text((left + (cell + GAP) * column, head + 24), label, INK, text)
    for row, label in enumerate(rows):
        y = top + (side + GAP) * row
        draw.multiline_text((MARGIN, y + side // 2), label, INK, text, anchor="lm")
        for column, x_label in enumerate(sheet.x_labels):
            for number, picture in enumerate(sheet.cell(x_label, sheet.y_labels[row])):
                place = (left + (cell + GAP) * column + (side + SEED_GAP) * number, y)
                file = picture.file if picture.file is not None and picture.file.is_file() else None
                page.paste(_resized(file, side) if file else _empty(side, missing, text), place)
    return page


def samples_contact_sheet(samples: Sequence[Sample], folder: Path) -> Image.Image:
    """A run's samples: a row a prompt and seed, a column a step, the untuned model first.

    Of many steps, some evenly spread ones with the first and the last. Files are relative to `folder`.
    """
    steps = spread(sorted({sample.step for sample in samples}), MOST_STEPS)
    columns = {step: "untuned" if step == 0 else f"step {step}" for step in steps}
    pictures = [
        SheetPicture(columns[one.step], f"{one.prompt}, seed {one.seed}", one.seed, folder / one.file, one.prompt)
        for one in samples
        if one.step in columns
    ]
    rows = tuple(dict.fromkeys(picture.y for picture in pictures))
    sheet = ContactSheet("", "", tuple(columns.values()), "prompt, seed", rows, (), pictures)
    return render(sheet, side=SAMPLE_SIDE)


def spread(values: Sequence[T], count: int) -> list[T]:
    """At most `count` of the values, evenly, with the first and the last; of one, the first."""
    if len(values) <= count:
        return list(values)
    return [values[round(i * (len(values) - 1) / max(1, count - 1))] for i in range(count)]


def _size(text: str, font: Font) -> tuple[int, int]:
    _, _, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font)
    return int(right), int(bottom)


def _resized(file: Path, side: int) -> Image.Image:
    """Small pictures grow too, so that those of 64 pixels can be seen."""
    image = open_picture(file)
    width, height = (round(length * side / max(image.size)) for length in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _empty(side: int, text: str, font: Font) -> Image.Image:
    image = Image.new("RGB", (side, side), EMPTY)
    ImageDraw.Draw(image).text((side // 2, side // 2), text, FAINT, font, anchor="mm")
    return image


def _side_of_files(sheet: ContactSheet) -> int:
    for picture in sheet.pictures:
        if picture.file is not None and picture.file.is_file():
            return min(max(*open_picture(picture.file).size, SMALLEST), LARGEST)
    return SMALLEST


def _title(sheet: ContactSheet) -> str:
    seeds = ", ".join(map(str, sheet.seeds))
    seed_text = f"seed{'s' if len(sheet.seeds) > 1 else ''} {seeds}" if seeds else ""
    return " · ".join(part for part in (sheet.prompt, seed_text) if part)
