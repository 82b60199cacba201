"""Which part of a picture is seen, at what size: cut, never squashed."""

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imprint import rng
from imprint.data.pictures import Picture
from imprint.errors import ConfigError, Problem
from imprint.types import Geometry

Crop = Literal["centre", "random", "buckets"]

CENTRE = 0.5

# The longest bucket has sides of twice and half the resolution.
LONGEST_BUCKET = 2
BUCKETS_PER_DOUBLING = 8

# Of a picture much longer than its frame the middle is kept: a strip one pixel high would fill the memory.
LONGEST_COVER = 4


class Frame(NamedTuple):
    """A size in pixels."""

    height: int
    width: int


class View(NamedTuple):
    """A picture as it is seen once. `offset` is where along its longer side the frame lies, from 0 to 1."""

    picture: Picture
    frame: Frame
    offset: float
    flipped: bool

    @property
    def key(self) -> str:
        """Equal exactly where the pixels are; the file's name is no part of it."""
        place = "" if self.offset == CENTRE else f"@{self.offset!r}"
        return f"{self.picture.content}/{self.frame.height}x{self.frame.width}{place}{'/flipped' * self.flipped}"

    @property
    def geometry(self) -> Geometry:
        """As a model that is conditioned on it expects it: of a mirrored picture, the corner in the mirror."""
        width, height = self.picture.size
        covering = _covering((width, height), self.frame)
        top, left = _corner((covering.height, covering.width), self)
        if self.flipped:
            left = covering.width - self.frame.width - left
        return Geometry(original=(height, width), crop=(top, left), target=(self.frame.height, self.frame.width))


class Framing:
    """How pictures of any size become pictures that can be trained on. The same view has the same pixels."""

    def __init__(self, *, crop: Crop, flip: bool, resolution: int, multiple: int) -> None:
        if resolution % multiple or resolution <= 0:
            below = max(1, resolution // multiple) * multiple
            remedy = f"this model needs a multiple of {multiple}, such as {below} or {below + multiple}."
            raise ConfigError([Problem("resolution", resolution, remedy)])
        self.crop = crop
        self.flip = flip
        self.frames = _buckets(resolution, multiple) if crop == "buckets" else [Frame(resolution, resolution)]

    @property
    def why_not_cacheable(self) -> str | None:
        """Why no finite number of views stands for all; None if one does."""
        if self.crop == "random":
            return "crop=random shows another part of the picture every time"
        return None

    @property
    def cacheable(self) -> bool:
        return self.why_not_cacheable is None

    def frame_of(self, size: tuple[int, int]) -> Frame:
        """The frame nearest in shape to a picture of `size` (width, height)."""
        shape = math.log(size[0] / size[1])
        return min(self.frames, key=lambda frame: abs(shape - math.log(frame.width / frame.height)))

    def view(self, picture: Picture, frame: Frame, *, seed: int, sample: str) -> View:
        """How the sample named `sample` sees `picture` in `frame`."""
        offset = rng.uniform(seed, "crop", sample) if self.crop == "random" else CENTRE
        return View(picture, frame, offset, self.flip and rng.uniform(seed, "flip", sample) < 0.5)

    def views(self, picture: Picture, frame: Frame) -> list[View]:
        """All that `view` can return for `picture` in `frame`."""
        assert self.cacheable, self.why_not_cacheable
        return [View(picture, frame, CENTRE, flipped) for flipped in ((False, True) if self.flip else (False,))]

    def too_small(self, pictures: Iterable[Picture]) -> list[str]:
        """The keys of the pictures that must be enlarged to fill their frame."""
        return [picture.key for picture in pictures if _scale(picture.size, self.frame_of(picture.size)) > 1]


def cover(image: Image.Image, frame: Frame) -> Tensor:
    """`image` scaled to just cover `frame`, in its own shape: height x width x channels, 8 bits.

    Grey pictures are masks, which must not ring at their edges.
    """
    scale = _scale(image.size, frame)
    height, width = _covering(image.size, frame)
    left = max(0.0, (image.width - width / scale) / 2)
    top = max(0.0, (image.height - height / scale) / 2)
    box = (left, top, image.width - left, image.height - top)
    resampling = Image.Resampling.BILINEAR if image.mode == "L" else Image.Resampling.LANCZOS
    covering = torch.from_numpy(np.array(image.resize((width, height), resampling, box=box)))
    return covering.unsqueeze(-1) if image.mode == "L" else covering


def pixels(covering_HWC: Tensor, view: View) -> Tensor:
    """The view's pixels, C x H x W in [-1, 1], from what `cover` made of its picture."""
    return cropped(covering_HWC, view).permute(2, 0, 1).float().div_(127.5).sub_(1)


def cropped(covering_HWC: Tensor, view: View) -> Tensor:
    """The part that the view shows of what `cover` made of its picture, or of that picture's mask."""
    height, width = view.frame
    top, left = _corner((covering_HWC.shape[0], covering_HWC.shape[1]), view)
    cropped_HWC = covering_HWC[top : top + height, left : left + width]
    return cropped_HWC.flip(1) if view.flipped else cropped_HWC


def _covering(size: tuple[int, int], frame: Frame) -> Frame:
    """What `cover` makes of a picture of `size` (width, height)."""
    scale = _scale(size, frame)
    return Frame(_covering_side(size[1] * scale, frame.height), _covering_side(size[0] * scale, frame.width))


def _corner(covering: tuple[int, int], view: View) -> tuple[int, int]:
    """(top, left) of the frame in what covers it, (height, width)."""
    height, width = covering
    return round((height - view.frame.height) * view.offset), round((width - view.frame.width) * view.offset)


def _covering_side(scaled: float, side: int) -> int:
    return min(max(side, int(scaled)), LONGEST_COVER * side)


def _scale(size: tuple[int, int], frame: Frame) -> float:
    return max(frame.width / size[0], frame.height / size[1])


def _buckets(resolution: int, multiple: int) -> list[Frame]:
    """The square and ever longer rectangles, of at most its area. Few, so that pictures share them."""
    step = multiple * max(1, round(resolution / BUCKETS_PER_DOUBLING / multiple))
    frames = [Frame(resolution, resolution)]
    for long in range(resolution + step, LONGEST_BUCKET * resolution + 1, step):
        short = resolution**2 // long // multiple * multiple
        if short:
            frames += [Frame(short, long), Frame(long, short)]
    return frames
