"""From a picture back to the noise that it was drawn from, roughly: the sampler's steps in reverse (DDIM inversion)."""

from collections.abc import Sequence

import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from torch import Tensor

from imprint.errors import UserError
from imprint.models.base import Model
from imprint.models.facts import ModelInfo
from imprint.types import Geometry

PREDICTIONS = ("epsilon", "v_prediction")


def check_invertible(facts: ModelInfo) -> None:
    """Raises UserError for a model whose pictures are not traced."""
    if facts.upscaling is not None:
        raise UserError("A picture of an upscaler cannot be traced to a seed: it was drawn from another picture, too.")
    if facts.prediction not in PREDICTIONS:
        raise UserError(
            f"A picture of a model that predicts {facts.prediction} cannot be traced to a seed: the way back is "
            f"there for {' and '.join(PREDICTIONS)}, and was not tried for others. Leave run out to read the marks."
        )


def invert(model: Model, pictures: Sequence[Image.Image], *, steps: int) -> Tensor:
    """The noise of each picture, B x C x H x W, with the empty prompt and without guidance; their sizes must be equal,
    and such as the model draws.

    In each step the network is told the time that the step leads to: told the time that the latent has, it would be
    asked for the noise of a latent without any in the first one.
    """
    device = next(model.roles["denoiser"].parameters()).device
    width, height = pictures[0].size
    stride = model.process.length // steps
    with torch.no_grad():
        latents_BCHW = model.encode(VaeImageProcessor().preprocess(list(pictures)).to(device)).mean_BCHW
        conditioning = {
            **model.encode_text([""] * len(pictures), empty_is_unconditional=True),
            **model.encode_geometry([Geometry.whole(height, width)] * len(pictures)),
        }
        for timestep in range(1, 1 + steps * stride, stride):
            now_B, next_B = (
                model.process.time_of(torch.full((len(pictures),), t, device=device))
                for t in (max(timestep - stride, 0), timestep)
            )
            prediction_BCHW = model.denoise(latents_BCHW, next_B, conditioning)
            clean_BCHW, noise_BCHW = model.process.recover(prediction_BCHW, latents_BCHW, now_B)
            a, b = model.process.mix(next_B)
            latents_BCHW = a * clean_BCHW + b * noise_BCHW
    return latents_BCHW.cpu()
