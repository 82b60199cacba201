"""Files of pictures: which formats are read, and how a picture is written."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image, ImageColor
from PIL.PngImagePlugin import PngInfo

from imprint.files import write_atomically

State = Literal["ok", "blank", "failed"]

BACKGROUND = "white"  # behind what is transparent in a drawn picture, as behind photos that it is compared with
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
    """In RGB, on BACKGROUND. Raises as `opened`."""
    with opened(file) as picture:
        transparent = picture.has_transparency_data
        return on_background(picture.convert("RGBA"), BACKGROUND) if transparent else picture.convert("RGB")


def on_background(picture: Image.Image, background: str) -> Image.Image:
    """An RGBA picture in RGB, with the colour behind it."""
    behind = Image.new("RGBA", picture.size, ImageColor.getrgb(background)[:3])
    return Image.alpha_composite(behind, picture).convert("RGB")


def is_transparent(file: Path) -> bool:
    """By its header. Raises as `opened`."""
    with opened(file) as picture:
        return picture.has_transparency_data


def save_png(picture: Image.Image, file: Path) -> None:
    """Lossless, and only the pixels: no colour profile, no metadata."""
    content = png_bytes(picture)
    write_atomically(file, lambda temporary: temporary.write_bytes(content))


def png_bytes(picture: Image.Image, *, xmp: str | None = None) -> bytes:
    """A PNG of the pixels, and with an XMP packet if one is given; without any other metadata."""
    bare = Image.new(picture.mode, picture.size)
    bare.paste(picture)
    text = PngInfo()
    if xmp is not None:
        text.add_itxt("XML:com.adobe.xmp", xmp)
    out = io.BytesIO()
    bare.save(out, format="PNG", pnginfo=text)
    return out.getvalue()


class PictureWriter(NamedTuple):
    """How the pictures of a store are written, and what its index calls that."""

    name: str
    save: Callable[[Image.Image, Path], None]


BARE = PictureWriter("none", save_png)


def state_of(picture: Image.Image) -> State:
    """blank: of one colour, as by a safety checker or where numbers overflowed."""
    return "blank" if all(len(set(band.getextrema())) == 1 for band in picture.convert("RGB").split()) else "ok"
