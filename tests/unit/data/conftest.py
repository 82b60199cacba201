from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imprint.data.pictures import PictureSet
from imprint.data.reading import open_folder

MakePicture = Callable[..., Image.Image]
MakeSet = Callable[..., PictureSet]


@pytest.fixture
def noise() -> MakePicture:
    """A picture that no other seed makes, of `size` (width, height)."""

    def make(seed: int, size: tuple[int, int] = (16, 16)) -> Image.Image:
        values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        return Image.fromarray(values)

    return make


@pytest.fixture
def make_set(tmp_path: Path, noise: MakePicture) -> MakeSet:
    """A set of different pictures of the given sizes, the first ones with the given captions."""

    def make(name: str, sizes: Sequence[tuple[int, int]], captions: Sequence[str] = ()) -> PictureSet:
        folder = tmp_path / name
        folder.mkdir()
        for index, size in enumerate(sizes):
            noise(1000 * len(name) + index, size).save(folder / f"{index}.png")
        for index, caption in enumerate(captions):
            (folder / f"{index}.txt").write_text(caption)
        return open_folder(str(folder), key="dataset.path", bad_pictures="strict", background="white", captions="auto")

    return make
