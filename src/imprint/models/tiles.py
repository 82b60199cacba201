"""Large pictures in tiles: which tiles there are, and one whole of what is computed for each of them.

Neighbours overlap. What they say of a place is averaged, and each counts less towards its own edge, where it knows
least of what surrounds the place: so there is no seam, and the weights of a place add up to one. Tiles are added in
their order, so the whole does not depend on how many are computed at a time.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from torch import Tensor
from torch.nn import functional

from imprint.device_transfer import to_device
from imprint.models.base import Model
from imprint.types import Geometry, Moments, Tiles


class Span(NamedTuple):
    """Where a tile lies on one axis, and how much it counts at each place."""

    start: int
    stop: int
    weights_L: Tensor

    @property
    def places(self) -> slice:
        return slice(self.start, self.stop)


class Tile(NamedTuple):
    rows: Span
    columns: Span

    def of(self, whole_BCHW: Tensor) -> Tensor:
        return whole_BCHW[..., self.rows.places, self.columns.places]

    def add(self, whole_BCHW: Tensor, own_BCHW: Tensor) -> None:
        """Adds what was computed for this tile, as much as it counts, to the whole."""
        self.of(whole_BCHW).add_(self.weighted(own_BCHW))

    def weighted(self, own_BCHW: Tensor) -> Tensor:
        weights_HW = self.rows.weights_L[:, None] * self.columns.weights_L
        return own_BCHW * to_device(weights_HW, own_BCHW.device)

    def geometry(self, whole: tuple[int, int]) -> Geometry:
        """Of a tile in pixels: a crop of the whole picture."""
        extent = (self.rows.stop - self.rows.start, self.columns.stop - self.columns.start)
        return Geometry(whole, (self.rows.start, self.columns.start), extent)


class Tiling(NamedTuple):
    """The same tiles in pixels and in pixels of the latent."""

    in_pixels: Sequence[Tile]
    in_latents: Sequence[Tile]


def tiling(model: Model, size: tuple[int, int], tiles: Tiles) -> Tiling:
    """Of a picture of this height and width. Tiles begin at multiples of what the model needs."""
    rows, columns = (_starts(length, tiles, model.pixel_multiple) for length in size)
    cell = size[0] // model.latent_shape(*size)[1]
    return Tiling(*(_tiles(size, tiles.size, rows, columns, unit) for unit in (1, cell)))


def tile_size(size: tuple[int, int], tiles: Tiles) -> tuple[int, int]:
    """Height and width of a tile in a picture of this size, which may be smaller than one."""
    height, width = size
    return min(height, tiles.size), min(width, tiles.size)


def _starts(length: int, tiles: Tiles, multiple: int) -> list[int]:
    """As few as can be, and evenly spread."""
    if length <= tiles.size:
        return [0]
    stride = (tiles.size - tiles.overlap) // multiple * multiple
    gaps = math.ceil((length - tiles.size) / stride)
    return [number * (length - tiles.size) // gaps // multiple * multiple for number in range(gaps + 1)]


def _tiles(size: tuple[int, int], side: int, rows: Sequence[int], columns: Sequence[int], unit: int) -> list[Tile]:
    down, across = (
        _spans(length // unit, [start // unit for start in starts], side // unit)
        for length, starts in zip(size, (rows, columns), strict=True)
    )
    return [Tile(row, column) for row in down for column in across]


def _spans(length: int, starts: Sequence[int], side: int) -> list[Span]:
    side = min(side, length)
    total_L = torch.zeros(length)
    ramps = []
    for number, start in enumerate(starts):
        ramp_L = torch.ones(side)
        if number > 0:
            ramp_L *= _ramp(side, starts[number - 1] + side - start)
        if number + 1 < len(starts):
            ramp_L *= _ramp(side, start + side - starts[number + 1]).flip(0)
        total_L[start : start + side] += ramp_L
        ramps.append(ramp_L)
    return [
        Span(start, start + side, ramp_L / total_L[start : start + side])
        for start, ramp_L in zip(starts, ramps, strict=True)
    ]


def _ramp(side: int, overlap: int) -> Tensor:
    """From nothing to one over the overlap, without a corner at either end; never zero."""
    way_L = (torch.arange(side) + 0.5) / overlap
    return torch.sin(way_L.clamp(max=1) * (math.pi / 2)) ** 2


def distribution(model: Model, picture: Image.Image, tiles: Tiles | None, device: torch.device) -> Moments:
    """The latent distribution of a picture. No more of it than a tile is ever encoded at a time."""
    if tiles is None:
        return model.encode(VaeImageProcessor().preprocess(picture).to(device))
    shape = model.latent_shape(picture.height, picture.width)
    mean_BCHW, std_BCHW = (torch.zeros(1, *shape, device=device) for _ in range(2))
    every = tiling(model, (picture.height, picture.width), tiles)
    for seen, own in zip(every.in_pixels, every.in_latents, strict=True):
        part = picture.crop((seen.columns.start, seen.rows.start, seen.columns.stop, seen.rows.stop))
        moments = model.encode(VaeImageProcessor().preprocess(part).to(device))
        own.add(mean_BCHW, moments.mean_BCHW)
        own.add(std_BCHW, moments.std_BCHW)
    return Moments(mean_BCHW, std_BCHW)


def decoded(model: Model, latents_BCHW: Tensor, size: tuple[int, int], tiles: Tiles | None) -> Image.Image:
    """The picture of one latent. No more of it than a row of tiles is ever in memory as numbers."""
    if tiles is None:
        return _picture(model.decode(latents_BCHW))
    height, width = size
    picture = Image.new("RGB", (width, height))
    for top, band_BCHW in _bands(model, latents_BCHW, size, tiles):
        picture.paste(_picture(band_BCHW), (0, top))
    return picture


def _bands(model: Model, latents_BCHW: Tensor, size: tuple[int, int], tiles: Tiles) -> Iterator[tuple[int, Tensor]]:
    """Of the picture, from its top to its bottom: the rows that no further tile has a part in, and the first one's
    number."""
    every = tiling(model, size, tiles)
    pairs = zip(every.in_pixels, every.in_latents, strict=True)
    top, open_BCHW = 0, torch.zeros(1, 3, 0, size[1])
    for start, row in groupby(pairs, key=lambda pair: pair[0].rows.start):
        if start > top:
            yield top, open_BCHW[:, :, : start - top]
            top, open_BCHW = start, open_BCHW[:, :, start - top :]
        for seen, own in row:
            pixels_BCHW = seen.weighted(model.decode(own.of(latents_BCHW))).cpu()
            missing = seen.rows.stop - top - open_BCHW.shape[2]
            open_BCHW = functional.pad(open_BCHW, (0, 0, 0, missing)) if missing else open_BCHW
            open_BCHW[..., seen.columns.places] += pixels_BCHW
    yield top, open_BCHW


def _picture(pixels_BCHW: Tensor) -> Image.Image:
    picture: Image.Image = VaeImageProcessor().postprocess(pixels_BCHW)[0]
    return picture
