"""What every side is given: a model, pictures of a subject, pictures of its class."""

from pathlib import Path

import numpy as np
from layouts import LAYOUTS
from models import model_of
from PIL import Image
from task import Material

CLASS_PICTURES = 20


def prepare(size: str, folder: Path, *, pictures: int = 5) -> Material:
    layout = LAYOUTS[size]
    side = layout.resolution
    model, weights = model_of(size, folder / "model")
    return Material(
        size=size,
        resolution=side,
        model=model,
        weights=weights,
        pictures=noise(folder / f"pictures-{pictures}", side, pictures),
        class_pictures=noise(folder / "class_pictures", side, CLASS_PICTURES, seed=1),
        family=layout.family,
        tokens=layout.tokens,
    )


def noise(folder: Path, side: int, number: int, *, seed: int = 0) -> Path:
    """Pictures of the size that is trained on: to fit photographs to it is no part of the comparison."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        random = np.random.default_rng(seed)
        for index in range(number):
            pixels_HWC = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels_HWC).save(folder / f"{index:03}.png")
    return folder
