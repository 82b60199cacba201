"""The latents of an autoencoder: their shape, by its configuration, and how they are scaled for the denoiser."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

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


SCALED = ScaledLatents()


def _dtype(autoencoder: Any) -> torch.dtype:
    dtype: torch.dtype = next(autoencoder.parameters()).dtype
    return dtype
