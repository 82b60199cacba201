"""Drawing with an upscaler: what it is told of the pictures that it enlarges."""

from collections.abc import Sequence

import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

from imprint.errors import UserError
from imprint.models.base import Model
from imprint.models.low_side import level_problem
from imprint.models.tiles import Tile
from imprint.types import Conditioning, LowRes


def check_asked(model: Model, low_res: LowRes | None, size: tuple[int, int]) -> None:
    """Raises UserError where a model cannot draw pictures of this size from what it is given."""
    if model.upscaling is None:
        if low_res is not None:
            raise UserError("This model draws from prompts. It is no upscaler, so there is nothing to enlarge.")
        return
    if low_res is None:
        raise UserError(
            "This model is an upscaler: it enlarges a picture, and draws none from a prompt alone. Give it one "
            "(imprint generate RUN picture=...), or draw with another run and enlarge that (upscaler=RUN)."
        )
    factor, (height, width) = model.upscaling.factor, size
    wrong = [picture.size for picture in low_res.pictures if picture.size != (width // factor, height // factor)]
    if wrong:
        raise UserError(f"A picture of {wrong[0][0]} x {wrong[0][1]} pixels does not become {width} x {height}.")
    if low_res.level is not None and (problem := level_problem("level", low_res.level, model.upscaling)):
        raise UserError(str(problem))


def conditioning_of_low_res(
    model: Model, low_res: LowRes | None, generators: Sequence[torch.Generator], device: torch.device
) -> Conditioning:
    """Of pictures that are drawn. Each generator's first numbers are the noise on its low side."""
    if low_res is None or model.upscaling is None:
        return {}
    # of the size that is asked for, which by default would be rounded
    low_BCHW = VaeImageProcessor(do_resize=False).preprocess(list(low_res.pictures))
    noise_BCHW = torch.stack([torch.randn(low_BCHW.shape[1:], generator=generator) for generator in generators])
    level = model.upscaling.level if low_res.level is None else low_res.level
    return model.encode_low_res(low_BCHW.to(device), noise_BCHW.to(device), level)


def part_of_low_res(low: Conditioning, tile: Tile) -> Conditioning:
    """What a tile of the latent is told: the low pictures lie on its grid."""
    return {name: tile.of(value) if value.ndim > 1 else value for name, value in low.items()}


def any_low_res(model: Model, count: int, height: int, width: int) -> LowRes | None:
    """For where it does not matter what pictures of this size show; None, where the model is no upscaler."""
    if model.upscaling is None:
        return None
    factor = model.upscaling.factor
    return LowRes([Image.new("RGB", (width // factor, height // factor), "grey")] * count, None)
