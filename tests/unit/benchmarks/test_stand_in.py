"""The stand-in does what torchvision's transforms do of a picture."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

Module = Callable[[str], Any]


@pytest.fixture
def picture() -> Image.Image:
    """40 x 20; its left half is black, its right half white."""
    pixels_HWC = np.zeros((20, 40, 3), dtype=np.uint8)
    pixels_HWC[:, 20:] = 255
    return Image.fromarray(pixels_HWC)


def test_a_picture_becomes_the_tensor_that_is_trained_on(picture: Image.Image, module: Module) -> None:
    stand_in = module("stand_in")
    transform = stand_in.Compose(
        [stand_in.Resize(10), stand_in.CenterCrop(10), stand_in.ToTensor(), stand_in.Normalize([0.5], [0.5])]
    )
    pixels_CHW = transform(picture)
    assert pixels_CHW.shape == (3, 10, 10)
    assert pixels_CHW.is_contiguous()
    assert torch.equal(pixels_CHW[:, :, 0], torch.full((3, 10), -1.0))
    assert torch.equal(pixels_CHW[:, :, -1], torch.full((3, 10), 1.0))


def test_a_random_crop_stays_inside(picture: Image.Image, module: Module) -> None:
    crops = {module("stand_in").RandomCrop(20)(picture).tobytes() for _ in range(20)}
    assert all(len(crop) == 20 * 20 * 3 for crop in crops)
    assert len(crops) > 1


def test_a_flip_is_as_likely_as_said(picture: Image.Image, module: Module) -> None:
    flip = module("stand_in").RandomHorizontalFlip
    assert flip(p=0.0)(picture).getpixel((0, 0)) == (0, 0, 0)
    assert flip(p=1.0)(picture).getpixel((0, 0)) == (255, 255, 255)


def test_functions_do_what_the_transforms_do(picture: Image.Image, module: Module) -> None:
    stand_in = module("stand_in")
    small = stand_in.resize(picture, [10, 20], stand_in.InterpolationMode.BILINEAR)
    assert small.size == (20, 10)
    assert small.tobytes() == stand_in.Resize(10)(picture).tobytes()
    assert stand_in.center_crop(picture, [10, 30]).size == (30, 10)
    assert stand_in.crop(picture, 0, 20, 20, 20).getextrema() == ((255, 255),) * 3
    assert stand_in.hflip(picture).getpixel((0, 0)) == (255, 255, 255)
    pixels_CHW = stand_in.normalize(stand_in.to_tensor(picture), [0.5], [0.5])
    assert torch.equal(pixels_CHW, stand_in.Compose([stand_in.ToTensor(), stand_in.Normalize([0.5], [0.5])])(picture))


def test_scripts_find_the_functions(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        monkeypatch.setitem(sys.modules, name, None)  # put back afterwards
    module("stand_in").stand_in_for_torchvision()
    from torchvision.transforms import functional
    from torchvision.transforms.functional import crop

    assert functional.crop is crop is module("stand_in").crop
