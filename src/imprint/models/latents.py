"""The latents of an autoencoder: their shape, by its configuration, and how they are scaled for the denoiser."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from imprint.types import Moments

Config = Mapping[str, Any]  # of an autoencoder


class Latents(ABC):
    """Of one class of autoencoders."""

    @abstractmethod
    def cell(self, config: Config) -> int:
        """Pixels on a side of a latent's pixel."""

    @abstractmethod
    def channels(self, config: Config) -> int: ...

    @abstractmethod
    def first_width(self, config: Config) -> int:
        """Channels of the autoencoder's first layer, which has as many numbers for every pixel of a picture."""

    @abstractmethod
    def encode(self, autoencoder: Any, pixels_BCHW: Tensor) -> Moments:
        """Their distribution for pictures in [-1, 1], float32."""

    @abstractmethod
    def decode(self, autoencoder: Any, latents_BCHW: Tensor) -> Tensor:
        """Pictures about [-1, 1]."""


class ScaledLatents(Latents):
    """Of an `AutoencoderKL`: one shift and one scale, both in its configuration."""

    def cell(self, config: Config) -> int:
        return int(2 ** (len(config["block_out_channels"]) - 1))

    def channels(self, config: Config) -> int:
        return int(config["latent_channels"])

    def first_width(self, config: Config) -> int:
        return int(config["block_out_channels"][0])

    def encode(self, autoencoder: Any, pixels_BCHW: Tensor) -> Moments:
        gaussian = autoencoder.encode(pixels_BCHW.to(_dtype(autoencoder))).latent_dist
        scale, shift = self._scale(autoencoder.config)
        return Moments((gaussian.mean.float() - shift) * scale, gaussian.std.float() * scale)

    def decode(self, autoencoder: Any, latents_BCHW: Tensor) -> Tensor:
        scale, shift = self._scale(autoencoder.config)
        latents_BCHW = (latents_BCHW.float() / scale + shift).to(_dtype(autoencoder))
        pixels_BCHW: Tensor = autoencoder.decode(latents_BCHW, return_dict=False)[0]
        return pixels_BCHW

    def _scale(self, config: Any) -> tuple[float, float]:
        return config.scaling_factor, config.get("shift_factor") or 0.0


class NormalisedPatches(Latents):
    """Of an `AutoencoderKLFlux2`: squares of its latents, each number shifted and scaled by mean and variance that a
    batch normalisation measured in its training. Here they are constants: the layer itself is never called."""

    def cell(self, config: Config) -> int:
        return int(2 ** (len(config["block_out_channels"]) - 1)) * self._patch(config)

    def channels(self, config: Config) -> int:
        return int(config["latent_channels"]) * self._patch(config) ** 2

    def first_width(self, config: Config) -> int:
        return int(config["block_out_channels"][0])

    def encode(self, autoencoder: Any, pixels_BCHW: Tensor) -> Moments:
        gaussian = autoencoder.encode(pixels_BCHW.to(_dtype(autoencoder))).latent_dist
        patch = self._patch(autoencoder.config)
        mean_BCHW, std_BCHW = (functional.pixel_unshuffle(own.float(), patch) for own in (gaussian.mean, gaussian.std))
        shift_C11, scale_C11 = self._measured(autoencoder)
        return Moments((mean_BCHW - shift_C11) / scale_C11, std_BCHW / scale_C11)

    def decode(self, autoencoder: Any, latents_BCHW: Tensor) -> Tensor:
        shift_C11, scale_C11 = self._measured(autoencoder)
        latents_BCHW = latents_BCHW.float() * scale_C11 + shift_C11
        latents_BCHW = functional.pixel_shuffle(latents_BCHW, self._patch(autoencoder.config))
        pixels_BCHW: Tensor = autoencoder.decode(latents_BCHW.to(_dtype(autoencoder)), return_dict=False)[0]
        return pixels_BCHW

    def _patch(self, config: Config) -> int:
        """Latent pixels on a side of a square."""
        return int(config.get("patch_size", (2, 2))[0])

    def _measured(self, autoencoder: Any) -> tuple[Tensor, Tensor]:
        """What is subtracted, and then divided by, of each channel."""
        layer = autoencoder.bn
        shift_C, scale_C = layer.running_mean.float(), torch.sqrt(layer.running_var.float() + layer.eps)
        return shift_C[:, None, None], scale_C[:, None, None]


SCALED = ScaledLatents()
NORMALISED_PATCHES = NormalisedPatches()


def _dtype(autoencoder: Any) -> torch.dtype:
    dtype: torch.dtype = next(autoencoder.parameters()).dtype
    return dtype
