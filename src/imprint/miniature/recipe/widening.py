"""Trained networks, given more numbers a latent; what they compute of the numbers that they knew stays the same."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor

START_LOG_VARIANCE = -4.0  # of a new number: well below its spread, so that the decoder can learn to use it


@torch.no_grad()
def widened_autoencoder(known: AutoencoderKL, latent_channels: int) -> AutoencoderKL:
    """The new numbers of a latent say something at random of the picture, and the decoder does not look at them yet."""
    wide: AutoencoderKL = AutoencoderKL.from_config({**known.config, "latent_channels": latent_channels})
    before = known.config.latent_channels
    weights, learned = wide.state_dict(), known.state_dict()
    for name, value in learned.items():
        if value.shape == weights[name].shape:
            weights[name].copy_(value)
    for part in ("weight", "bias"):
        # the convolution after this one says which of its numbers are means, and which are spreads
        weights[f"encoder.conv_out.{part}"][: 2 * before] = learned[f"encoder.conv_out.{part}"]
        weights[f"post_quant_conv.{part}"].zero_()
    into, known_into = weights["quant_conv.weight"], learned["quant_conv.weight"]
    into.zero_()
    means, spreads = slice(before), slice(latent_channels, latent_channels + before)
    into[means, : 2 * before], into[spreads, : 2 * before] = known_into[:before], known_into[before:]
    bias, known_bias = weights["quant_conv.bias"], learned["quant_conv.bias"]
    bias.zero_()
    bias[latent_channels:] = START_LOG_VARIANCE
    bias[means], bias[spreads] = known_bias[:before], known_bias[before:]
    for new in range(before, latent_channels):
        into[new, before + new] = 1
        weights["post_quant_conv.weight"][new, new] = 1
    weights["post_quant_conv.weight"][:before, :before] = learned["post_quant_conv.weight"]
    weights["post_quant_conv.bias"][:before] = learned["post_quant_conv.bias"]
    weights["decoder.conv_in.weight"].copy_(
        _padded(learned["decoder.conv_in.weight"], weights["decoder.conv_in.weight"])
    )
    wide.load_state_dict(weights)
    return wide


@torch.no_grad()
def spread_new_numbers(wide: AutoencoderKL, pixels_BCHW: Tensor, *, known: int, spread: float) -> None:
    """Gives all but the first `known` numbers of a latent, scaled, mean 0 and this spread over these pictures. What is
    decoded stays the same."""
    mean, new = wide.encode(pixels_BCHW).latent_dist.mean, slice(known, None)
    mean_C = mean.mean((0, 2, 3))[new]
    factor_C = spread / wide.config.scaling_factor / mean.std((0, 2, 3))[new]
    into, out, channels = wide.quant_conv, wide.post_quant_conv, wide.config.latent_channels
    into.weight[known:channels] *= factor_C.view(-1, 1, 1, 1)
    into.bias[known:channels] = (into.bias[known:channels] - mean_C) * factor_C
    into.bias[channels + known :] += 2 * factor_C.log()
    out.bias += out.weight[:, new, 0, 0] @ mean_C
    out.weight[:, new] /= factor_C.view(1, -1, 1, 1)


@torch.no_grad()
def widened_denoiser(known: UNet2DConditionModel, latent_channels: int) -> UNet2DConditionModel:
    """It does not look at the new numbers yet, and predicts 0 of them."""
    wide: UNet2DConditionModel = UNet2DConditionModel.from_config(
        {**known.config, "in_channels": latent_channels, "out_channels": latent_channels}
    )
    weights = wide.state_dict()
    wide.load_state_dict({name: _padded(value, weights[name]) for name, value in known.state_dict().items()})
    return wide


def _padded(known: Tensor, like: Tensor) -> Tensor:
    """Zeros in the shape of `like`, with `known` at the beginning of every dimension."""
    padded = torch.zeros_like(like)
    padded[tuple(slice(size) for size in known.shape)] = known
    return padded
