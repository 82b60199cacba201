"""Pictures inside a page, and what draws pages."""

import base64
import io
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image, ImageOps

PICTURE_BUDGET = 5_000_000  # bytes that all thumbnails together may take, about
SIDES = (384, 256, 160, 96)  # pixels on the longer side, the first that fits the budget
LOSSLESS_SIDE = 128  # so small a picture is shown enlarged, which shows every artefact


def page_environment(pictures: int) -> Environment:
    """For templates of pages with so many pictures: `thumbnail(file)` is a picture inside the page."""
    side = next((side for side in SIDES if pictures * side * side * 0.25 < PICTURE_BUDGET), SIDES[-1])
    environment = Environment(
        loader=PackageLoader("imprint.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(thumbnail=Thumbnails(side).of)
    return environment


class Thumbnails:
    """Pictures as data URIs, without their metadata."""

    def __init__(self, side: int) -> None:
        self._side = side

    def of(self, file: Path) -> str | None:
        """None when the file is gone or no picture."""
        try:
            with Image.open(file) as opened:
                opened.draft("RGB", (self._side * 2, self._side * 2))
                image = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None
        image.thumbnail((self._side, self._side), Image.Resampling.LANCZOS)
        bare = Image.new("RGB", image.size)
        bare.paste(image)
        data = io.BytesIO()
        bare.save(data, format="WEBP", quality=82, lossless=max(bare.size) <= LOSSLESS_SIDE)
        return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()
