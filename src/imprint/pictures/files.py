"""Files of pictures: which formats are read, and how a picture is written."""

from pathlib import Path
from typing import Literal

from PIL import Image

from imprint.files import write_atomically

State = Literal["ok", "blank", "failed"]

# What a picture may be, whatever its name says. Pillow knows more, some of which run other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")


def readable_formats() -> list[str]:
    """Those that this installation of Pillow reads."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def open_picture(file: Path) -> Image.Image:
    """In RGB. Raises nearly anything where it is damaged."""
    with Image.open(file, formats=readable_formats()) as opened:
        return opened.convert("RGB")


def save_png(picture: Image.Image, file: Path) -> None:
    """Lossless, and the pixels alone: no profile, no note of where the picture comes from."""
    bare = Image.new(picture.mode, picture.size)
    bare.paste(picture)
    write_atomically(file, lambda temporary: bare.save(temporary, format="PNG"))


def state_of(picture: Image.Image) -> State:
    """A picture of one colour shows nothing: a safety checker's black, or numbers that overflowed."""
    return "blank" if all(len(set(band.getextrema())) == 1 for band in picture.convert("RGB").split()) else "ok"
