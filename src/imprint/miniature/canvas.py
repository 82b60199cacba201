"""Drawing in a figure's own coordinates: the same strokes in every place, pose and scale."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw

from imprint.miniature.palette import Colour

Point = tuple[float, float]

SIZE = 64  # of the pictures that the miniature draws and reads; the world can be drawn at any
SUPERSAMPLING = 3
PIXELS = SIZE * SUPERSAMPLING


def enlargement(pixels: int) -> float:
    """How often a canvas of `pixels` is as wide as that of a picture of SIZE: what lengths in its pixels grow by."""
    return pixels / PIXELS


def ellipse_points(cx: float, cy: float, rx: float, ry: float, tilt: float = 0.0, n: int = 28) -> list[Point]:  # noqa: PLR0917
    cos, sin = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    points = []
    for i in range(n):
        a = 2 * math.pi * i / n
        x, y = rx * math.cos(a), ry * math.sin(a)
        points.append((cx + x * cos - y * sin, cy + x * sin + y * cos))
    return points


def rounded_points(x0: float, y0: float, x1: float, y1: float, r: float) -> list[Point]:
    r = min(r, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
    points = []
    for cx, cy, start in (
        (x1 - r, y1 - r, 0),
        (x0 + r, y1 - r, 90),
        (x0 + r, y0 + r, 180),
        (x1 - r, y0 + r, 270),
    ):
        for step in range(6):
            a = math.radians(start + 18 * step)
            points.append((cx + r * math.cos(a), cy + r * math.sin(a)))
    return points


def smooth_points(corners: Sequence[Point], rounds: int = 2) -> list[Point]:
    """The closed outline through `corners` with its corners cut (Chaikin), for soft organic shapes."""
    points = list(corners)
    for _ in range(rounds):
        cut: list[Point] = []
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            cut += [
                (0.75 * x0 + 0.25 * x1, 0.75 * y0 + 0.25 * y1),
                (0.25 * x0 + 0.75 * x1, 0.25 * y0 + 0.75 * y1),
            ]
        points = cut
    return points


@dataclass(frozen=True)
class Placement:
    """Where a figure's unit square [-1, 1] x [-1, 1] lies in the picture; lengths are shares of its side."""

    x: float
    y: float
    scale: float
    angle: float = 0.0
    mirrored: bool = False
    squash: float = 1.0

    def to_pixels(self, points: Sequence[Point], pixels: int = PIXELS) -> list[Point]:
        """Where `points` of the figure's square lie on a canvas of `pixels` x `pixels`."""
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        flip = -1.0 if self.mirrored else 1.0
        out = []
        for right, down in points:
            px, py = right * flip, down * self.squash
            out.append(
                (
                    pixels * (self.x + self.scale * (px * cos - py * sin)),
                    pixels * (self.y + self.scale * (px * sin + py * cos)),
                )
            )
        return out


FRAME = Placement(x=0.0, y=0.0, scale=1.0)  # the picture itself, [0, 1] x [0, 1]


class Pen:
    """Draws filled shapes through a placement; angles are measured in degrees, y points down."""

    def __init__(self, image: Image.Image, placement: Placement) -> None:
        self.image = image
        self.placement = placement
        self._draw = ImageDraw.Draw(image)

    @property
    def pixels(self) -> int:
        """The canvas's side."""
        return self.image.width

    def _to_pixels(self, points: Sequence[Point]) -> list[Point]:
        return self.placement.to_pixels(points, self.pixels)

    def poly(self, points: Sequence[Point], fill: Colour) -> None:
        self._draw.polygon(self._to_pixels(points), fill=fill)

    def soft(self, corners: Sequence[Point], fill: Colour) -> None:
        self.poly(smooth_points(corners), fill)

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, fill: Colour, tilt: float = 0.0) -> None:  # noqa: PLR0917
        self.poly(ellipse_points(cx, cy, rx, ry, tilt), fill)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, r: float = 0.0) -> None:  # noqa: PLR0917
        self.poly(rounded_points(x0, y0, x1, y1, r) if r else [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill)

    def line(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        """A stroke with round ends; `width` in the figure's own units."""
        pixels = self._to_pixels(points)
        thick = max(1, round(width * self.placement.scale * self.pixels))
        self._draw.line(pixels, fill=fill, width=thick, joint="curve")
        r = thick / 2
        for x, y in (pixels[0], pixels[-1]):
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)

    def arc(  # noqa: PLR0917
        self, cx: float, cy: float, rx: float, ry: float, start: float, end: float, width: float, fill: Colour
    ) -> None:
        steps = [math.radians(start + (end - start) * i / 14) for i in range(15)]
        self.line([(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in steps], width, fill)

    def tint(
        self, shapes: Sequence[Sequence[Point]], colour: Colour, strength: int, *, inside: Sequence[Point]
    ) -> None:
        """Fills `shapes` within the outline `inside`, letting 255 - `strength` of what is there show."""
        cover = Image.new("L", self.image.size)
        draw = ImageDraw.Draw(cover)
        for shape in shapes:
            draw.polygon(self._to_pixels(shape), fill=strength)
        within = Image.new("L", self.image.size)
        ImageDraw.Draw(within).polygon(self._to_pixels(inside), fill=255)
        self.image.paste(colour, mask=ImageChops.multiply(cover, within))

    def tint_lines(self, lines: Sequence[Sequence[Point]], width: float, colour: Colour, strength: int) -> None:
        """Strokes as those of `line`, as `tint` fills."""
        cover = Pen(Image.new("RGB", self.image.size), self.placement)
        for line in lines:
            cover.line(line, width, (strength,) * 3)
        self.image.paste(colour, mask=cover.image.getchannel("R"))

    def clipped(self, outline: Sequence[Point], paint: Callable[[Pen], None]) -> None:
        """Lets `paint` draw with a pen whose strokes stay inside `outline`."""
        pixels = self._to_pixels(outline)
        left, top = (max(0, math.floor(min(p[i] for p in pixels))) for i in (0, 1))
        right, bottom = (min(self.pixels, math.ceil(max(p[i] for p in pixels)) + 1) for i in (0, 1))
        if left >= right or top >= bottom:
            return
        box = (left, top, right, bottom)
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).polygon(pixels, fill=255)
        layer = self.image.copy()
        paint(Pen(layer, self.placement))
        self.image.paste(layer.crop(box), box, mask.crop(box))


def stream(*key: object) -> random.Random:
    """A random stream that depends on `key` alone, equal on every machine and in every process."""
    return random.Random("/".join(map(str, key)))
