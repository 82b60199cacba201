"""Drawing that begins with a picture in place of noise: the picture's latent with some noise, and the last of the
sampler's steps; what is to stay of it is put back after each.

As in the library's pipelines for this, so that the pictures are the same; but for any network, not only those that
have such a pipeline or were made for masks.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imprint.errors import Problem, UserError
from imprint.models.base import Model
from imprint.models.schedulers import first_noise, noised
from imprint.models.tiles import distribution
from imprint.types import Beginning, Tiles

HALF = 127  # of 255 levels: a latent's pixel is kept if more than half of it is


class Begun(NamedTuple):
    """`latents_BCHW` are those to begin with, `timesteps` the ones that are left."""

    latents_BCHW: Tensor
    timesteps: Tensor
    scheduler: Any
    clean_BCHW: Tensor
    noise_BCHW: Tensor
    kept_B1HW: Tensor | None  # true where the beginning stays

    def with_kept(self, latents_BCHW: Tensor, number: int) -> Tensor:
        """After `number` steps: what is kept as it is at this level of noise, the rest as it was drawn."""
        if self.kept_B1HW is None:
            return latents_BCHW
        known_BCHW = self.clean_BCHW
        if number < len(self.timesteps):
            known_BCHW = noised(self.scheduler, self.clean_BCHW, self.noise_BCHW, self.timesteps[number])
        return torch.where(self.kept_B1HW, known_BCHW, latents_BCHW)


def first_step(steps: int, strength: float, *, flow: bool) -> int:
    """The number of the first step that is carried out. Where strength and steps do not divide evenly, the library's
    pipelines of flows carry out one more. Raises UserError where none is left."""
    first = int(max(steps - steps * strength, 0)) if flow else steps - min(int(steps * strength), steps)
    if first >= steps:
        remedy = f"of {steps} steps this leaves none. Give at least {1 / steps:.2g}, or more steps."
        raise UserError(str(Problem("strength", strength, remedy)))
    return first


def encoded(
    model: Model,
    pictures: Sequence[Image.Image],
    generators: Sequence[torch.Generator],
    device: torch.device,
    tiles: Tiles | None = None,
) -> Tensor:
    """Latents of the pictures, each drawn from the autoencoder's distribution by its generator. One at a time: in a
    batch the autoencoder would need the most memory."""
    latents = []
    for picture, generator in zip(pictures, generators, strict=True):
        moments = distribution(model, picture, tiles, device)
        spread_BCHW = torch.randn(moments.std_BCHW.shape, generator=generator)
        latents.append(moments.mean_BCHW + moments.std_BCHW * spread_BCHW.to(device))
    return torch.cat(latents)


def begin(scheduler: Any, first: int, beginning: Beginning, clean_BCHW: Tensor, noise_BCHW: Tensor) -> Begun:
    """With the step of this number."""
    first *= scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    timesteps = scheduler.timesteps[first:]
    kept_B1HW = None if beginning.kept is None else _cells(beginning.kept, clean_BCHW)
    if kept_B1HW is not None and beginning.strength == 1:
        # of what is drawn anew, nothing is left
        latents_BCHW = first_noise(scheduler, noise_BCHW)
    else:
        latents_BCHW = noised(scheduler, clean_BCHW, noise_BCHW, timesteps[0])
    return Begun(latents_BCHW, timesteps, scheduler, clean_BCHW, noise_BCHW, kept_B1HW)


def _cells(masks: Sequence[Image.Image], latents_BCHW: Tensor) -> Tensor:
    """Of which of the latents' pixels more than half is white."""
    height, width = latents_BCHW.shape[-2:]
    small = [np.asarray(mask.convert("L").resize((width, height), Image.Resampling.BOX)) > HALF for mask in masks]
    return torch.from_numpy(np.stack(small)).unsqueeze(1).to(latents_BCHW.device)
