"""From a picture to what an encoder takes, as its authors prepared pictures."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from PIL import Image
from torch import Tensor

from imprint.errors import UserError
from imprint.kinds import hashed_settings, of_kind

Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Channels = tuple[float, float, float]
Spread = Annotated[float, Gt(0)]
Side = Annotated[int, Ge(1), Le(1 << 14)]  # of a picture, in pixels


@of_kind("transform/pillow")
class Transform:
    """Resizes the shorter side, or where it may `stretch`, both sides; cuts out the centre; scales [0, 1] to
    (value - mean) / std.

    Pillow resizes, with its antialiasing, on 8 bits: what CLIP's and DINO's official transforms do. Null for `resize`
    or `crop` leaves that step out.
    """

    former_defaults: ClassVar[Mapping[str, Any]] = {"stretch": False}

    def __init__(
        self,
        *,
        resize: Side | None,
        stretch: bool,
        interpolation: Interpolation,
        crop: Side | None,
        mean: Channels,
        std: tuple[Spread, Spread, Spread],
    ) -> None:
        if resize is not None and crop is not None and crop > resize:
            raise ValueError(f"crop={crop}: it must not exceed resize={resize}.")
        if stretch and resize is None:
            raise ValueError("stretch=True: it needs a size. Give resize.")
        self.resize = resize
        self.stretch = stretch
        self.interpolation = interpolation
        self.crop = crop
        self.mean = mean
        self.std = std

    def settings(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in signature(type(self)).parameters}
        return hashed_settings(type(self), own)

    def described(self) -> str:
        """All of it in words: equal where pictures are shown alike, to four digits of mean and spread."""
        sides = "both sides" if self.stretch else "the shorter side"
        steps = [] if self.resize is None else [f"{sides} to {self.resize} pixels, {self.interpolation}"]
        steps += [] if self.crop is None else [f"the middle {self.crop}"]
        spread = [f"({', '.join(f'{value:.4g}' for value in values)})" for values in (self.mean, self.std)]
        return "; ".join([*steps, f"mean {spread[0]}, spread {spread[1]}"])

    def __call__(self, pictures: Sequence[Image.Image]) -> Tensor:
        """(B, 3, H, W). Raises UserError if the pictures do not come to one size."""
        return self._scaled([self.framed(picture) for picture in pictures])

    def whole(self, pictures: Sequence[Image.Image]) -> Tensor:
        """(B, 3, S, S), with nothing cut off: both sides are stretched to what is otherwise cut out."""
        side = self.crop or self.resize
        if side is None:
            raise UserError("Whole pictures need a size to be stretched to. Give transform.crop.")
        way = Image.Resampling[self.interpolation.upper()]
        return self._scaled([picture.convert("RGB").resize((side, side), way) for picture in pictures])

    def _scaled(self, framed: Sequence[Image.Image]) -> Tensor:
        if len({picture.size for picture in framed}) > 1:
            sizes = ", ".join(sorted({"x".join(map(str, picture.size)) for picture in framed}))
            raise UserError(
                f"Pictures of different sizes ({sizes}) cannot be compared. Give transform.resize and .crop."
            )
        levels_BHWC = np.stack([np.asarray(picture) for picture in framed])
        pixels_BCHW = torch.from_numpy(levels_BHWC).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (pixels_BCHW - mean) / std

    def framed(self, picture: Image.Image) -> Image.Image:
        """Resized and cut out, in RGB."""
        picture = picture.convert("RGB")
        width, height = picture.size
        if self.resize is not None:
            short = min(width, height)
            wanted = self.resize
            width, height = (wanted if self.stretch else int(wanted * side / short) for side in (width, height))
            picture = picture.resize((width, height), Image.Resampling[self.interpolation.upper()])
        if self.crop is not None:
            # Smaller pictures are padded with black, as the official transforms do.
            left, top = round((width - self.crop) / 2), round((height - self.crop) / 2)
            picture = picture.crop((left, top, left + self.crop, top + self.crop))
        return picture
