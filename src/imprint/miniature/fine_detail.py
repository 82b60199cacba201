"""Detail that a picture of SIZE has no trace of: what makes a large picture of an individual worth having."""

from __future__ import annotations

import numpy as np
from PIL import Image

from imprint.miniature.canvas import SIZE


def unseen_when_small(plain: Image.Image, detailed: Image.Image) -> Image.Image:
    """`plain` with what `detailed` adds, less what of it would still show in a picture of SIZE.

    So the small picture of an individual says nothing of its engraving, as a photo taken from afar.
    """
    before, after = (np.asarray(image.convert("RGB"), dtype=np.float32) for image in (plain, detailed))
    added = after - before
    pixels = np.rint(before + added - _seen_when_small(added)).clip(0, 255).astype(np.uint8)
    result = Image.fromarray(pixels)
    result.putalpha(detailed.getchannel("A"))
    return result


def _seen_when_small(added: np.ndarray) -> np.ndarray:
    """What is left of `added` in a picture of SIZE, enlarged again."""
    height, width = added.shape[:2]
    bands = [Image.fromarray(np.ascontiguousarray(added[..., band])) for band in range(added.shape[2])]
    small = [band.resize((SIZE, SIZE), Image.Resampling.BOX) for band in bands]
    return np.stack([np.asarray(band.resize((width, height), Image.Resampling.BICUBIC)) for band in small], axis=-1)
