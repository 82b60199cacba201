"""HTML pages with pictures embedded as data URIs."""

import base64
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageOps

from imprint.pictures.files import opened
from imprint.reporting.contact_sheets import spread
from imprint.reporting.file_cache import FileCache
from imprint.reporting.units import score
from imprint.tables.html import page_environment

PICTURE_BUDGET = 5_000_000  # bytes that all thumbnails together may take, about
MOST_PICTURES = 2000  # on a page
SIDES = (384, 256, 160, 96)  # pixels on the longer side
LOSSLESS_SIDE = 128  # so small a picture is shown enlarged, with every artefact: it is compressed without loss
ESTIMATED_FROM = 6  # pictures, for the size of all
CACHE = FileCache(most=2 * MOST_PICTURES)


class Thumbnail(NamedTuple):
    uri: str  # with the picture in it
    is_small: bool  # of few pixels, each of which is to be seen


def picture_page(template: str, files: Sequence[Path], **given: Any) -> str:
    """A template of a page with these pictures: in it, `thumbnail(file)` is a picture inside the page."""
    environment = page_environment("imprint.reporting")
    environment.filters["score"] = score
    return environment.get_template(template).render(thumbnail=fitting(files), **given)


def room(files: Sequence[Path]) -> int:
    """How many more pictures of the same kind the budget has."""
    way = fitting(files)
    sizes = [len(made.uri) for file in spread(files, ESTIMATED_FROM) if (made := way(file))]
    return max(0, min(MOST_PICTURES, int(PICTURE_BUDGET * len(sizes) / sum(sizes))) - len(files)) if sizes else 0


def fitting(files: Sequence[Path]) -> Callable[[Path], Thumbnail | None]:
    """`thumbnail` with the largest side that fits the budget, estimated from some of the pictures."""
    ways = [partial(thumbnail, side=side, keeps_small=keeps) for keeps in (True, False) for side in SIDES]
    some = spread(files, ESTIMATED_FROM)
    for way in ways:
        sizes = [len(made.uri) for file in some if (made := way(file))]
        if len(files) * sum(sizes) <= PICTURE_BUDGET * len(sizes):
            return way
    return ways[-1]


def thumbnail(file: Path, *, side: int, keeps_small: bool) -> Thumbnail | None:
    """Without metadata; None when the file is gone or no picture. Small pictures are compressed without
    loss, if `keeps_small`."""
    try:
        return CACHE.of(file, partial(_encoded, side=side, keeps_small=keeps_small), (side, keeps_small))
    except Exception:  # on damaged bytes, Pillow's readers raise nearly everything
        return None


def _encoded(file: Path, *, side: int, keeps_small: bool) -> Thumbnail:
    with opened(file) as picture:
        is_small = max(picture.size) <= LOSSLESS_SIDE
        picture.draft("RGB", (side * 2, side * 2))
        image = ImageOps.exif_transpose(picture).convert("RGB")
    is_lossless = keeps_small and max(image.size) <= min(side, LOSSLESS_SIDE)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return Thumbnail(data_uri(image, lossless=is_lossless), is_small)


def data_uri(image: Image.Image, *, lossless: bool = False) -> str:
    """The pixels alone."""
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    data = io.BytesIO()
    bare.save(data, format="WEBP", quality=82, lossless=lossless)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()
