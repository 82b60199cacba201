"""What subjects are pasted on: places that are drawn by a few random numbers, or photos of places."""

import numpy as np
from PIL import Image, ImageFilter

from imprint import rng
from imprint.data.framing import CENTRE, Frame, View, cover, cropped
from imprint.data.pictures import PictureSet

CELLS = (
    2,
    4,
    8,
)  # on a side, of the layers of colour that a drawn place consists of; each counts half of the one before


def drawn_place(size: tuple[int, int], *name: str | int) -> Image.Image:
    """Soft patches of colour, large ones and small ones on them, of no place that there is."""
    height, width = size
    mixed = np.zeros((height, width, 3), dtype=np.float32)
    for number, cells in enumerate(CELLS):
        colours = rng.normal([(*name, "place", cells)], (cells, cells, 3))[0].numpy()
        levels = np.clip(127 + 60 * colours, 0, 255).astype(np.uint8)
        layer = Image.fromarray(levels).resize((width, height), Image.Resampling.BICUBIC)
        mixed += np.asarray(layer, dtype=np.float32) * 0.5 ** (number + 1)
    mixed += 127 * 0.5 ** len(CELLS)
    smooth = Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))
    return smooth.filter(ImageFilter.GaussianBlur(min(size) / 64))


def photographed_place(photos: PictureSet, index: int, size: tuple[int, int]) -> Image.Image:
    frame = Frame(*size)
    covering_HWC = cover(photos.load(index), frame)
    return Image.fromarray(cropped(covering_HWC, View(photos.pictures[index], frame, CENTRE, False)).numpy())
