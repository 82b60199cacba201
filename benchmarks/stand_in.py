"""The few transforms of torchvision that the peer's scripts use, for an environment without it.

They do what a script sees of torchvision's on Pillow's pictures, with as much work: a slow stand-in would flatter us.
"""

import random
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


class InterpolationMode(Enum):
    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"


class Compose:
    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, value: Any) -> Any:
        for transform in self.transforms:
            value = transform(value)
        return value


class Resize:
    """So that the shorter side is `size`."""

    def __init__(self, size: int, interpolation: InterpolationMode = InterpolationMode.BILINEAR) -> None:
        self.size = size
        self.filter = Image.Resampling[interpolation.name]

    def __call__(self, picture: Image.Image) -> Image.Image:
        width, height = picture.size
        short = min(width, height)
        fitted = (int(self.size * width / short), int(self.size * height / short))
        return picture if fitted == picture.size else picture.resize(fitted, self.filter)


class CenterCrop:
    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, picture: Image.Image) -> Image.Image:
        return center_crop(picture, (self.size, self.size))


class RandomCrop:
    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, picture: Image.Image) -> Image.Image:
        left, top = (random.randint(0, side - self.size) for side in picture.size)
        return picture.crop((left, top, left + self.size, top + self.size))


class RandomHorizontalFlip:
    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, picture: Image.Image) -> Image.Image:
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < self.p else picture


class ToTensor:
    def __call__(self, picture: Image.Image) -> Tensor:
        pixels_HWC = torch.from_numpy(np.array(picture, copy=True))
        return pixels_HWC.permute(2, 0, 1).contiguous().float().div(255)


class Normalize:
    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean_C11 = torch.tensor(mean).view(-1, 1, 1)
        self.std_C11 = torch.tensor(std).view(-1, 1, 1)

    def __call__(self, pixels_CHW: Tensor) -> Tensor:
        return (pixels_CHW - self.mean_C11) / self.std_C11


def resize(picture: Image.Image, size: Sequence[int], interpolation: InterpolationMode) -> Image.Image:
    """`size`: height and width, here and below."""
    height, width = size
    fitted = (width, height)
    return picture if fitted == picture.size else picture.resize(fitted, Image.Resampling[interpolation.name])


def center_crop(picture: Image.Image, size: Sequence[int]) -> Image.Image:
    height, width = size
    return crop(picture, round((picture.height - height) / 2), round((picture.width - width) / 2), height, width)


def crop(picture: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    return picture.crop((left, top, left + width, top + height))


def hflip(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def to_tensor(picture: Image.Image) -> Tensor:
    return ToTensor()(picture)


def normalize(pixels_CHW: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    return Normalize(mean, std)(pixels_CHW)


OFFERED = (InterpolationMode, Compose, Resize, CenterCrop, RandomCrop, RandomHorizontalFlip, ToTensor, Normalize)
FUNCTIONS: tuple[Callable[..., Any], ...] = (resize, center_crop, crop, hflip, to_tensor, normalize)


def stand_in_for_torchvision() -> None:
    """From now on, `from torchvision import transforms` gives the above."""
    package = ModuleType("torchvision")
    transforms = ModuleType("torchvision.transforms")
    functional = ModuleType("torchvision.transforms.functional")
    for module in (package, transforms, functional):
        module.__spec__ = ModuleSpec(module.__name__, None)
        sys.modules[module.__name__] = module
    for offered in OFFERED:
        setattr(transforms, offered.__name__, offered)
    for offered in FUNCTIONS:
        setattr(functional, offered.__name__, offered)
    package.transforms = transforms  # type: ignore[attr-defined]
    transforms.functional = functional  # type: ignore[attr-defined]
