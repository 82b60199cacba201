"""A subject that is cut out of its photo, and put somewhere else."""

from typing import Annotated

from annotated_types import Gt, Le
from PIL import Image, ImageFilter, ImageOps
from pydantic import AfterValidator

from imprint import rng

Share = Annotated[float, Gt(0), Le(1)]


def _rising(scale: tuple[float, float]) -> tuple[float, float]:
    if scale[0] > scale[1]:
        raise ValueError("the first is the smallest: give it first")
    return scale


Scale = Annotated[tuple[Share, Share], AfterValidator(_rising)]  # of a picture's side, from and to
HALF = 127  # of 255 levels: above, a pixel of a mask is the subject's


def cut_out(photo: Image.Image, mask: Image.Image) -> Image.Image:
    """The subject alone, in RGBA."""
    cut = photo.convert("RGBA")
    cut.putalpha(mask)
    return cut.crop(mask.getbbox())


def placed(
    cut: Image.Image, place: Image.Image, scale: tuple[float, float], *name: str | int, soft: float, flip: bool
) -> tuple[Image.Image, Image.Image]:
    """`place` with the subject in it, and its mask. `name` names the random numbers that say where it is and how
    large: its longer side is between these shares of the picture's shorter one. `soft` is how far its edge fades, as
    a share of that side."""
    share = scale[0] + (scale[1] - scale[0]) * rng.uniform(*name, "scale")
    side = min(place.size)
    factor = share * side / max(cut.size)
    size = tuple(max(1, round(length * factor)) for length in cut.size)
    scaled = cut.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    if flip and rng.uniform(*name, "flip") < 0.5:
        scaled = ImageOps.mirror(scaled)
    corner = tuple(
        round((whole - own) * rng.uniform(*name, axis))
        for whole, own, axis in zip(place.size, scaled.size, ("x", "y"), strict=True)
    )
    whole = Image.new("RGBA", place.size)
    whole.paste(scaled, (corner[0], corner[1]))
    mask = whole.getchannel("A")
    edge = mask.filter(ImageFilter.GaussianBlur(soft * side)) if soft else mask
    inside = Image.composite(edge, Image.new("L", mask.size), mask.point(lambda level: 255 * (level > HALF)))
    shown = inside if soft else mask
    return Image.composite(whole.convert("RGB"), place, shown), mask
