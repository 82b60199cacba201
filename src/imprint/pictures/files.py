"""Files of pictures: which formats are read, and how a picture is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image

from imprint.files import write_atomically

State = Literal["ok", "blank", "failed"]

# What a picture may be, whatever its name says. Pillow reads more formats, some by running other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")


# A file of a few kilobytes can claim billions of pixels. Pillow itself warns a little above this.
PIXEL_LIMIT = 80_000_000


def readable_formats() -> list[str]:
    """Those that this installation of Pillow reads."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """The picture, not decoded yet. Of a damaged file, Pillow may raise nearly any exception, here and later."""
    if not file.is_file():  # reading a pipe would wait for ever
        raise FileNotFoundError(f"{file} is no file")
    with Image.open(file, formats=readable_formats()) as picture:
        if picture.width * picture.height > PIXEL_LIMIT:
            raise ValueError(f"{file} claims to have more than {PIXEL_LIMIT // 10**6} million pixels")
        yield picture


def open_picture(file: Path) -> Image.Image:
    """In RGB. Raises as `opened`."""
    with opened(file) as picture:
        return picture.convert("RGB")


def save_png(picture: Image.Image, file: Path) -> None:
    """Lossless, and only the pixels: no colour profile, no metadata."""
    bare = Image.new(picture.mode, picture.size)
    bare.paste(picture)
    write_atomically(file, lambda temporary: bare.save(temporary, format="PNG"))


def state_of(picture: Image.Image) -> State:
    """blank: of one colour, as by a safety checker or where numbers overflowed."""
    return "blank" if all(len(set(band.getextrema())) == 1 for band in picture.convert("RGB").split()) else "ok"
