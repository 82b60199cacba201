"""First stage: the autoencoder that turns pictures into 8x8 latents and back."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe import checkpoint
from imprint.miniature.recipe.budget import Budget
from imprint.miniature.recipe.muon import optimisers
from imprint.miniature.recipe.pictures import as_tensor
from imprint.miniature.recipe.settings import AutoencoderSettings


def fresh(settings: AutoencoderSettings) -> AutoencoderKL:
    """Untrained, factor 2 ** (levels - 1), without attention: 8x8 positions need none."""
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
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


def blend_into(average: nn.Module, module: nn.Module, *, decay: float, step: int) -> None:
    """Moves the exponential average towards `module`, faster while the run is young."""
    keep = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for a, p in zip(average.parameters(), module.parameters(), strict=True):
            a.lerp_(p, 1 - keep)


def autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16)


def psnr(autoencoder: AutoencoderKL, pixels_BCHW: Tensor) -> float:
    """Mean over pictures of the PSNR in dB of the round trip through the latent's mode."""
    each = []
    with torch.no_grad():
        for chunk in pixels_BCHW.split(32):
            back = autoencoder.decode(autoencoder.encode(chunk).latent_dist.mode()).sample.clamp(-1, 1)
            each.append(((back - chunk) / 2).square().mean((1, 2, 3)))
    return float(-10 * torch.cat(each).log10().mean())


def reconstruction_loss(
    autoencoder: AutoencoderKL, pixels_BCHW: Tensor, settings: AutoencoderSettings
) -> Tensor:
    with autocast(pixels_BCHW.device):
        posterior = autoencoder.encode(pixels_BCHW).latent_dist
        back = autoencoder.decode(posterior.sample()).sample
    error = back.float() - pixels_BCHW
    mean, log_variance = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    loss: Tensor = error.square().mean() + settings.l1_weight * error.abs().mean() + settings.kl_weight * kl
    return loss


def train(
    settings: AutoencoderSettings, pictures: np.ndarray, *, work: Path, seed: int, minutes: float | None,
    validation: int, checkpoint_every_s: float, device: torch.device, start: AutoencoderKL | None = None,
) -> AutoencoderKL:  # fmt: skip
    """The averaged weights after training; continues from the checkpoint in `work` where there is one."""
    torch.manual_seed(seed)
    autoencoder = (start or fresh(settings)).to(device)
    average = copy.deepcopy(autoencoder)
    optims = optimisers(autoencoder, matrix_lr=settings.matrix_lr, other_lr=settings.other_lr)
    full_rates = [g["lr"] for o in optims for g in o.param_groups]
    budget = Budget(steps=settings.steps, minutes=minutes, warmup=settings.warmup, hold=settings.hold)
    path = work / "autoencoder.pt"
    if (state := checkpoint.load(path)) is not None:
        autoencoder.load_state_dict(state["autoencoder"])
        average.load_state_dict(state["average"])
        for o, s in zip(optims, state["optimisers"], strict=True):
            o.load_state_dict(s)
        budget.restore(state["budget"])
    held_out = as_tensor(pictures[-validation:]).to(device)
    saved_at = time.monotonic()

    def save() -> None:
        checkpoint.save(
            path,
            {
                "autoencoder": autoencoder.state_dict(),
                "average": average.state_dict(),
                "optimisers": [o.state_dict() for o in optims],
                "budget": budget.state(),
            },
        )

    while budget.progress < 1:
        # Every step draws from (seed, step), so a resumed run sees what an uninterrupted one would have seen.
        rows = np.random.default_rng((seed, budget.step)).integers(
            0, len(pictures) - validation, settings.batch
        )
        torch.manual_seed(seed * 1_000_003 + budget.step)
        loss = reconstruction_loss(autoencoder, as_tensor(pictures[np.sort(rows)]).to(device), settings)
        assert math.isfinite(loss.item()), f"loss is not finite at step {budget.step}"
        loss.backward()
        torch.nn.utils.clip_grad_norm_(autoencoder.parameters(), 1.0)
        rates = iter(full_rates)
        for o in optims:
            for g in o.param_groups:
                g["lr"] = next(rates) * budget.rate
            o.step()
            o.zero_grad()
        blend_into(average, autoencoder, decay=settings.ema, step=budget.step)
        budget.step += 1
        if time.monotonic() - saved_at > checkpoint_every_s or budget.progress >= 1:
            save()
            saved_at = time.monotonic()
            quality = f"loss {loss.item():.4f}, {psnr(average, held_out):.2f} dB"
            print(f"autoencoder: step {budget.step}, {quality}, {budget.left}", flush=True)
    return average
