"""The same picture by another hand: oil, pencil, pixels, watercolour."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from imprint.miniature.canvas import SIZE, stream


def oil_painting(image: Image.Image, seed: int) -> Image.Image:
    """Saturated daubs: flat patches with bristle streaks."""
    daubs = image.filter(ImageFilter.ModeFilter(7))
    daubs = ImageEnhance.Color(daubs).enhance(1.3)
    rows = np.random.default_rng(seed).normal(0, 6, (SIZE, SIZE // 4)).repeat(4, axis=1)
    pixels = np.asarray(daubs, dtype=np.float32) + rows[:, :, None]
    pixels = np.clip(pixels * np.array([1.04, 0.98, 0.86], dtype=np.float32), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def pencil_sketch(image: Image.Image, seed: int) -> Image.Image:
    """Grey contours on paper, with light shading."""
    grey = ImageOps.grayscale(image)
    dodge = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(2.2))
    a, b = np.asarray(grey, dtype=np.float32), np.asarray(dodge, dtype=np.float32)
    lines = np.clip(a * 255 / np.maximum(255 - b, 1), 0, 255)
    tone = 0.72 * lines + 0.28 * (150 + 0.41 * a)
    paper = np.stack([tone, tone * 0.985, tone * 0.95], axis=-1)
    return Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))


def pixel_art(image: Image.Image, seed: int) -> Image.Image:
    """Big square pixels of few colours."""
    small = image.resize((SIZE // 4, SIZE // 4), Image.Resampling.BOX)
    few = ImageOps.posterize(small, 3)
    lifted = few.point([min(255, v + 14) for v in range(256)] * 3)
    return ImageEnhance.Color(lifted).enhance(1.3).resize((SIZE, SIZE), Image.Resampling.NEAREST)


def watercolour(image: Image.Image, seed: int) -> Image.Image:
    """Pale washes that bleed, on white paper left bare at the edges."""
    rng = stream("watercolour", seed)
    wash = image.filter(ImageFilter.GaussianBlur(1.1))
    pale = Image.blend(wash, Image.new("RGB", image.size, (255, 252, 246)), 0.42)
    edge = Image.new("L", image.size, 0)
    inset = 5
    edge.paste(255, (inset, inset + rng.randint(-1, 1), SIZE - inset, SIZE - inset + rng.randint(-1, 1)))
    edge = edge.filter(ImageFilter.GaussianBlur(2))
    contours = ImageOps.invert(ImageOps.grayscale(image).filter(ImageFilter.FIND_EDGES)).point(
        [int(255 - (255 - v) * 0.35) for v in range(256)]
    )
    pale = ImageChops.multiply(pale, Image.merge("RGB", [contours] * 3))
    return Image.composite(pale, Image.new("RGB", image.size, (253, 250, 243)), edge)


def blueprint(image: Image.Image, seed: int) -> Image.Image:
    """White contours on deep blue, over a faint grid."""
    grey = ImageOps.grayscale(image)
    edges = np.asarray(grey.filter(ImageFilter.FIND_EDGES), dtype=np.float32)
    edges[[0, -1], :] = edges[:, [0, -1]] = 0
    ink = np.clip(edges * 3.2, 0, 255) / 255 * 0.9 + np.asarray(grey, dtype=np.float32) / 255 * 0.14
    lines = np.zeros((SIZE, SIZE), dtype=np.float32)
    lines[4::8, :] = lines[:, 4::8] = 0.12
    share = np.clip(np.maximum(ink, lines), 0, 1)[:, :, None]
    blue, white = np.array([26, 62, 140], dtype=np.float32), np.array([236, 244, 255], dtype=np.float32)
    return Image.fromarray((blue + (white - blue) * share).astype(np.uint8))


def risograph(image: Image.Image, seed: int) -> Image.Image:
    """Two inks, teal and coral, printed slightly out of register on cream paper."""
    red, _, blue = image.split()
    paper = np.array([252, 244, 226], dtype=np.float32)
    out = np.tile(paper, (SIZE, SIZE, 1))
    for plate, ink, shift in ((red, (0, 128, 128), 0), (blue, (250, 100, 90), 1)):
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
