"""The latents of an autoencoder: their shape, by its configuration, and how they are scaled for the denoiser."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

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


class CertainLatents(Latents):
    """Of an `AutoencoderDC`, which makes one latent of a picture and no distribution: its spread is zero."""

    def cell(self, config: Config) -> int:
        return int(2 ** (len(config["encoder_block_out_channels"]) - 1))

    def channels(self, config: Config) -> int:
        return int(config["latent_channels"])

    def first_width(self, config: Config) -> int:
        return int(config["encoder_block_out_channels"][0])

    def encode(self, autoencoder: Any, pixels_BCHW: Tensor) -> Moments:
        latents_BCHW = autoencoder.encode(pixels_BCHW.to(_dtype(autoencoder))).latent.float()
        latents_BCHW = latents_BCHW * autoencoder.config.scaling_factor
        return Moments(latents_BCHW, torch.zeros_like(latents_BCHW))

    def decode(self, autoencoder: Any, latents_BCHW: Tensor) -> Tensor:
        latents_BCHW = (latents_BCHW.float() / autoencoder.config.scaling_factor).to(_dtype(autoencoder))
        pixels_BCHW: Tensor = autoencoder.decode(latents_BCHW, return_dict=False)[0]
        return pixels_BCHW


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
CERTAIN = CertainLatents()
FRAMES = FrameLatents()
NORMALISED_PATCHES = NormalisedPatches()


def _dtype(autoencoder: Any) -> torch.dtype:
    dtype: torch.dtype = next(autoencoder.parameters()).dtype
    return dtype
