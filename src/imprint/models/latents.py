"""The latents of an autoencoder: their shape, by its configuration, and how they are scaled for the denoiser."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from imprint.device_transfer import to_device
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


class FrameLatents(Latents):
    """Of an autoencoder of videos, `AutoencoderKLQwenImage`, to which a picture is the only frame: a mean and a spread
    of each channel, in its configuration. That has an entry for every layer that halves a side: whether it halves time
    as well."""

    def cell(self, config: Config) -> int:
        return int(2 ** len(config["temperal_downsample"]))

    def channels(self, config: Config) -> int:
        return int(config["z_dim"])

    def first_width(self, config: Config) -> int:
        return int(config["base_dim"])

    def encode(self, autoencoder: Any, pixels_BCHW: Tensor) -> Moments:
        gaussian = autoencoder.encode(pixels_BCHW.to(_dtype(autoencoder)).unsqueeze(2)).latent_dist
        mean, spread = self._scale(autoencoder.config, pixels_BCHW.device)
        return Moments((gaussian.mean.squeeze(2).float() - mean) / spread, gaussian.std.squeeze(2).float() / spread)

    def decode(self, autoencoder: Any, latents_BCHW: Tensor) -> Tensor:
        mean, spread = self._scale(autoencoder.config, latents_BCHW.device)
        latents_BCHW = (latents_BCHW.float() * spread + mean).to(_dtype(autoencoder))
        pixels_BCHW: Tensor = autoencoder.decode(latents_BCHW.unsqueeze(2), return_dict=False)[0].squeeze(2)
        return pixels_BCHW

    def _scale(self, config: Any, device: torch.device) -> tuple[Tensor, Tensor]:
        mean, spread = (torch.tensor(config[key]).view(-1, 1, 1) for key in ("latents_mean", "latents_std"))
        return to_device(mean, device), to_device(spread, device)


SCALED = ScaledLatents()
FRAMES = FrameLatents()


def _dtype(autoencoder: Any) -> torch.dtype:
    dtype: torch.dtype = next(autoencoder.parameters()).dtype
    return dtype
