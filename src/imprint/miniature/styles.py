"""The same picture by another hand: oil, pencil, pixels, watercolour."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from imprint.miniature.canvas import SIZE, stream


def _times(image: Image.Image) -> float:
    """What lengths in pixels of a picture of SIZE grow by in this one."""
    return image.width / SIZE


def _as_small(image: Image.Image, steps: np.ndarray) -> np.ndarray:
    """`steps`, a texture of the picture, drawn over it: nearest neighbours, whatever the picture's size."""
    rows, columns = (np.arange(image.width) * n // image.width for n in steps.shape)
    texture: np.ndarray = steps[rows][:, columns]
    return texture


def _contours(grey: Image.Image) -> np.ndarray:
    """Pillow's FIND_EDGES with strokes that are as wide a share of the picture at every size."""
    reach = max(1, round(_times(grey)))
    pixels = np.asarray(grey.filter(ImageFilter.BoxBlur((reach - 1) / 2)), dtype=np.int32)
    around = sum(np.roll(pixels, (down, right), (0, 1)) for down in (-reach, 0, reach) for right in (-reach, 0, reach))
    edges = np.clip(9 * pixels - around, 0, 255)
    inside = np.zeros(edges.shape, dtype=bool)
    inside[reach:-reach, reach:-reach] = True
    return np.where(inside, edges, pixels).astype(np.uint8)  # the frame stays as it is


def oil_painting(image: Image.Image, seed: int) -> Image.Image:
    """Saturated daubs: flat patches with bristle streaks."""
    daubs = image.filter(ImageFilter.ModeFilter(2 * round(3 * _times(image)) + 1))
    daubs = ImageEnhance.Color(daubs).enhance(1.3)
    bristles = _as_small(image, np.random.default_rng(seed).normal(0, 6, (SIZE, SIZE // 4)))
    pixels = np.asarray(daubs, dtype=np.float32) + bristles[:, :, None]
    pixels = np.clip(pixels * np.array([1.04, 0.98, 0.86], dtype=np.float32), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def pencil_sketch(image: Image.Image, seed: int) -> Image.Image:
    """Grey contours on paper, with light shading."""
    grey = ImageOps.grayscale(image)
    dodge = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(2.2 * _times(image)))
    a, b = np.asarray(grey, dtype=np.float32), np.asarray(dodge, dtype=np.float32)
    lines = np.clip(a * 255 / np.maximum(255 - b, 1), 0, 255)
    tone = 0.72 * lines + 0.28 * (150 + 0.41 * a)
    paper = np.stack([tone, tone * 0.985, tone * 0.95], axis=-1)
    return Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))


def pixel_art(image: Image.Image, seed: int) -> Image.Image:
    """Big square pixels of few colours."""
    small = image.resize((SIZE // 4, SIZE // 4), Image.Resampling.BOX)  # as many at every size
    few = ImageOps.posterize(small, 3)
    lifted = few.point([min(255, v + 14) for v in range(256)] * 3)
    return ImageEnhance.Color(lifted).enhance(1.3).resize(image.size, Image.Resampling.NEAREST)


def watercolour(image: Image.Image, seed: int) -> Image.Image:
    """Pale washes that bleed, on white paper left bare at the edges."""
    rng, times = stream("watercolour", seed), _times(image)
    wash = image.filter(ImageFilter.GaussianBlur(1.1 * times))
    pale = Image.blend(wash, Image.new("RGB", image.size, (255, 252, 246)), 0.42)
    edge = Image.new("L", image.size, 0)
    top, bottom = 5 + rng.randint(-1, 1), SIZE - 5 + rng.randint(-1, 1)
    left, top, right, bottom = (round(times * at) for at in (5, top, SIZE - 5, bottom))
    edge.paste(255, (left, top, right, bottom))
    edge = edge.filter(ImageFilter.GaussianBlur(2 * times))
    contours = ImageOps.invert(Image.fromarray(_contours(ImageOps.grayscale(image)))).point(
        [int(255 - (255 - v) * 0.35) for v in range(256)]
    )
    pale = ImageChops.multiply(pale, Image.merge("RGB", [contours] * 3))
    return Image.composite(pale, Image.new("RGB", image.size, (253, 250, 243)), edge)


def blueprint(image: Image.Image, seed: int) -> Image.Image:
    """White contours on deep blue, over a faint grid."""
    grey = ImageOps.grayscale(image)
    edges = _contours(grey).astype(np.float32)
    frame = max(1, round(_times(image)))
    edges[:frame] = edges[-frame:] = edges[:, :frame] = edges[:, -frame:] = 0
    ink = np.clip(edges * 3.2, 0, 255) / 255 * 0.9 + np.asarray(grey, dtype=np.float32) / 255 * 0.14
    lines = np.zeros((SIZE, SIZE), dtype=np.float32)
    lines[4::8, :] = lines[:, 4::8] = 0.12
    share = np.clip(np.maximum(ink, _as_small(image, lines)), 0, 1)[:, :, None]
    blue, white = np.array([26, 62, 140], dtype=np.float32), np.array([236, 244, 255], dtype=np.float32)
    return Image.fromarray((blue + (white - blue) * share).astype(np.uint8))


def risograph(image: Image.Image, seed: int) -> Image.Image:
    """Two inks, teal and coral, printed slightly out of register on cream paper."""
    red, _, blue = image.split()
    paper = np.array([252, 244, 226], dtype=np.float32)
    out = np.tile(paper, (*image.size, 1))
    shifts = (0, round(_times(image)))
    for plate, ink, shift in zip((red, blue), ((0, 128, 128), (250, 100, 90)), shifts, strict=True):
        cover = (255 - np.asarray(ImageOps.posterize(ImageOps.autocontrast(plate), 2), dtype=np.float32)) / 255
        cover = np.roll(cover, (shift, shift), (0, 1))[:, :, None]
        out *= 1 - cover * (1 - np.array(ink, dtype=np.float32) / 255)
    return Image.fromarray(out.astype(np.uint8))


STYLISTS = {
    "oil painting": oil_painting,
    "pencil sketch": pencil_sketch,
    "pixel art": pixel_art,
    "watercolour": watercolour,
    "blueprint": blueprint,
    "risograph": risograph,
}
