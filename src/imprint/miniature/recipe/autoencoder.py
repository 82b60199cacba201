"""First stage: the autoencoder that turns pictures into 8x8 latents and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe.loop import Course, autocast, fit
from imprint.miniature.recipe.middle import middle_of
from imprint.miniature.recipe.pictures import as_tensor, corners, cut
from imprint.miniature.recipe.settings import AutoencoderSettings, CentredAutoencoderSettings


def fresh(settings: AutoencoderSettings, size: int = SIZE) -> AutoencoderKL:
    """Untrained, of pictures of `size`, factor 2 ** (levels - 1), without attention: 8x8 positions need none."""
    levels = len(settings.channels)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        block_out_channels=list(settings.channels),
        layers_per_block=1,
        latent_channels=settings.latent_channels,
        norm_num_groups=8,
        sample_size=size,
        mid_block_add_attention=False,
    )


def psnr(autoencoder: AutoencoderKL, pixels_BCHW: Tensor) -> float:
    """Mean over pictures of the PSNR in dB of the round trip through the latent's mode."""
    each = []
    with torch.no_grad():
        for chunk in pixels_BCHW.split(32):
            back = autoencoder.decode(autoencoder.encode(chunk).latent_dist.mode()).sample.clamp(-1, 1)
            each.append(((back - chunk) / 2).square().mean((1, 2, 3)))
    return float(-10 * torch.cat(each).log10().mean())


Loss = Callable[[AutoencoderKL, Tensor], Tensor]  # of a batch of pictures


def reconstruction_loss(
    settings: CentredAutoencoderSettings, known: AutoencoderKL | None, autoencoder: AutoencoderKL, pixels_BCHW: Tensor
) -> Tensor:
    """`known` is what is continued from. Latents stay near its own, so that a denoiser of those can go on with them."""
    with autocast(pixels_BCHW.device):
        posterior = autoencoder.encode(pixels_BCHW).latent_dist
        back = autoencoder.decode(posterior.sample()).sample
    error = back.float() - pixels_BCHW
    middle = middle_of(pixels_BCHW.shape[-1]).to(error.device)
    centre = (middle * (error.square() + settings.l1_weight * error.abs())).mean()
    edges = error.diff(dim=2).square().mean() + error.diff(dim=3).square().mean()
    loss: Tensor = error_of(settings, back, pixels_BCHW, posterior)
    loss = loss + settings.centre_weight * centre + settings.edge_weight * edges
    if known is not None:
        with torch.no_grad(), autocast(pixels_BCHW.device):
            mean = known.encode(pixels_BCHW).latent_dist.mean
        moved = posterior.mean[:, : mean.shape[1]].float() - mean.float()
        loss = loss + settings.keep_weight * moved.square().mean()
    return loss


def error_of(
    settings: AutoencoderSettings, back_BCHW: Tensor, pixels_BCHW: Tensor, posterior: DiagonalGaussianDistribution
) -> Tensor:
    error = back_BCHW.float() - pixels_BCHW
    mean, log_variance = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    loss: Tensor = error.square().mean() + settings.l1_weight * error.abs().mean() + settings.kl_weight * kl
    return loss


def train(
    settings: AutoencoderSettings,
    pictures: np.ndarray,
    *,
    course: Course,
    validation: int,
    loss: Loss,
    start: AutoencoderKL | None = None,
) -> AutoencoderKL:
    """The trained autoencoder. The last `validation` pictures only measure it; it learns from squares of the others."""
    torch.manual_seed(course.seed)
    held_out = as_tensor(pictures[-validation:]).to(course.device)

    def loss_at(autoencoder: AutoencoderKL, step: int) -> Tensor:
        rng = np.random.default_rng((course.seed, step))
        rows = np.sort(rng.integers(0, len(pictures) - validation, settings.batch))
        side = pictures.shape[1]
        crop = side if np.random.default_rng((course.seed, step, 1)).random() < settings.whole_share else settings.crop
        pixels = cut(as_tensor(pictures[rows]), corners(rng, side, crop, settings.batch), crop)
        return loss(autoencoder, pixels.to(course.device))

    return fit(
        start or fresh(settings, pictures.shape[1]),
        course,
        loss_at,
        lambda average: f"{psnr(average, held_out):.2f} dB",
    )
