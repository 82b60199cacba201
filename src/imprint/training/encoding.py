"""Captions and pictures of a batch as the denoiser takes them: encoded for each batch, or kept in caches."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from imprint import rng
from imprint.device_transfer import to_device
from imprint.models.base import Model, is_text
from imprint.models.conditioning import joined, rows
from imprint.types import Batch, Conditioning, Moments


def encode_captions(model: Model, captions: Sequence[str]) -> Conditioning:
    """A dropped caption, which is empty, becomes the model's unconditional embedding."""
    return model.encode_text(captions, empty_is_unconditional=True)


class CaptionCache:
    """Encodes each caption once and by itself, so that its last digits depend neither on the other captions of the
    batch nor on where a run was resumed. Valid for models with equal text encoders, and while nothing that captions
    pass through learns."""

    def __init__(self) -> None:
        self._kept: dict[str, Conditioning] = {}

    @torch.no_grad()
    def condition(self, model: Model, captions: Sequence[str]) -> Conditioning:
        if missing := [caption for caption in dict.fromkeys(captions) if caption not in self._kept]:
            with model.residency.needed(set(filter(is_text, model.roles))):
                for caption in missing:
                    self._kept[caption] = rows(encode_captions(model, [caption]), 0)
        return joined([self._kept[caption] for caption in captions])


class LatentCache:
    """The moments of every view of the training pictures, on the CPU, and for an upscaler its low side.

    A latent is sampled anew from mean and spread at every step, so that the distribution is the one without a cache;
    keeping samples, or modes, would be another objective.
    """

    def __init__(self) -> None:
        self._moments: dict[str, Moments] = {}
        self._low_sides: dict[str, Tensor] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._moments

    @torch.no_grad()
    def fill(self, model: Model, views: Iterable[tuple[str, Tensor]], device: torch.device) -> None:
        """`views` are (key, pixels_CHW)."""
        with model.low_side.needed() if model.low_side else nullcontext():
            for key, pixels_CHW in views:
                pixels_BCHW = pixels_CHW.unsqueeze(0).to(device)
                moments = model.encode(pixels_BCHW)
                self._moments[key] = Moments(moments.mean_BCHW[0].cpu(), moments.std_BCHW[0].cpu())
                if model.low_side is not None:
                    self._low_sides[key] = model.low_side.of(pixels_BCHW)[0].cpu()

    def moments(self, keys: list[str], device: torch.device) -> Moments:
        kept = [self._moments[key] for key in keys]
        return Moments(
            to_device(torch.stack([moments.mean_BCHW for moments in kept]), device),
            to_device(torch.stack([moments.std_BCHW for moments in kept]), device),
        )

    def low_sides(self, keys: list[str], device: torch.device) -> Tensor:
        return to_device(torch.stack([self._low_sides[key] for key in keys]), device)


def sample_latents(model: Model, batch: Batch, cache: LatentCache, *, seed: int, device: torch.device) -> Tensor:
    """One sample from the latent distribution of each picture."""
    if batch.pixels_BCHW is None:
        moments = cache.moments(batch.keys, device)
    else:
        with torch.no_grad():
            moments = model.encode(batch.pixels_BCHW)
    names = [(seed, "latent", name) for name in batch.ids]
    noise_BCHW = to_device(rng.normal(names, moments.mean_BCHW.shape[1:]), device)
    return moments.mean_BCHW + moments.std_BCHW * noise_BCHW


def encode_low_sides(
    model: Model, batch: Batch, cache: LatentCache, *, seed: int, device: torch.device
) -> Conditioning:
    """What an upscaler is told of the low side of each picture, with noise of its own; nothing, for other models."""
    if model.low_side is None:
        return {}
    if batch.pixels_BCHW is None:
        low_BCHW = cache.low_sides(batch.keys, device)
    else:
        low_BCHW = model.low_side.of(batch.pixels_BCHW)
    names = [(seed, "low resolution", name) for name in batch.ids]
    noise_BCHW = to_device(rng.normal(names, low_BCHW.shape[1:]), device)
    return model.encode_low_res(low_BCHW, noise_BCHW, model.low_side.level)
