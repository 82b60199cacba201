"""Latents of a batch: from the autoencoder, or from its moments kept by view."""

from collections.abc import Iterable

import torch
from torch import Tensor

from imprint import draws
from imprint.device_transfer import to_device
from imprint.models.base import Model
from imprint.types import Batch, Moments


class LatentCache:
    """The moments of every view of the training pictures, on the CPU.

    A latent is sampled anew from mean and spread at every step, so that the distribution is the one without a cache;
    keeping samples, or modes, would be another objective.
    """

    def __init__(self) -> None:
        self._moments: dict[str, Moments] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._moments

    @torch.no_grad()
    def fill(self, model: Model, views: Iterable[tuple[str, Tensor]], device: torch.device) -> None:
        """`views` are (key, pixels_CHW)."""
        for key, pixels_CHW in views:
            moments = model.encode(pixels_CHW.unsqueeze(0).to(device))
            self._moments[key] = Moments(moments.mean_BCHW[0].cpu(), moments.std_BCHW[0].cpu())

    def moments(self, keys: list[str], device: torch.device) -> Moments:
        kept = [self._moments[key] for key in keys]
        return Moments(
            to_device(torch.stack([moments.mean_BCHW for moments in kept]), device),
            to_device(torch.stack([moments.std_BCHW for moments in kept]), device),
        )


def sample_latents(model: Model, batch: Batch, cache: LatentCache, *, seed: int, device: torch.device) -> Tensor:
    """One draw from each sample's latent distribution."""
    if batch.pixels_BCHW is None:
        moments = cache.moments(batch.keys, device)
    else:
        with torch.no_grad():
            moments = model.encode(batch.pixels_BCHW)
    names = [(seed, "latent", name) for name in batch.ids]
    noise_BCHW = to_device(draws.normal(names, moments.mean_BCHW.shape[1:]), device)
    return moments.mean_BCHW + moments.std_BCHW * noise_BCHW
