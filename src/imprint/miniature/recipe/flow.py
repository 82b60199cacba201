"""The miniature of the flow kind: the other one's networks, taught the straight line between latent and noise."""

from __future__ import annotations

import torch
from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

from imprint.miniature.recipe.denoiser import Generator
from imprint.miniature.recipe.loop import autocast
from imprint.miniature.recipe.settings import FlowSettings

STEPS = 1000  # in which the denoiser counts its time


def schedule() -> DPMSolverMultistepScheduler:
    """One of those that the stock pipeline of this layout can draw flows with."""
    return DPMSolverMultistepScheduler(
        num_train_timesteps=STEPS, prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=1.0
    )


def shares_of_noise(batch: int, settings: FlowSettings) -> Tensor:
    """Spread evenly over the batch: some uniform, the others logit-normal. Never 0."""
    uniform = round(batch * settings.uniform_share)
    even = (torch.arange(uniform) + torch.rand(uniform)) / max(1, uniform)
    crowd = (torch.arange(batch - uniform) + torch.rand(batch - uniform)) / max(1, batch - uniform)
    normal = torch.special.ndtri(crowd.double().clamp(1e-6, 1 - 1e-6)).float()
    return torch.cat([even, torch.sigmoid(normal * settings.std + settings.mean)]).clamp(min=1 / STEPS)


def flow_loss(settings: FlowSettings, generator: Generator, latents_BCHW: Tensor, ids_BT: Tensor) -> Tensor:
    """The error of the predicted direction from picture to noise."""
    device = latents_BCHW.device
    s_B = shares_of_noise(len(latents_BCHW), settings).to(device)
    s_B111 = s_B.view(-1, 1, 1, 1)
    noise = torch.randn(latents_BCHW.shape).to(device)
    noisy = (1 - s_B111) * latents_BCHW + s_B111 * noise
    with autocast(device):
        words = generator.text_encoder(ids_BT).last_hidden_state
        predicted = generator.unet(noisy, s_B * STEPS, words).sample
    loss: Tensor = (predicted.float() - (noise - latents_BCHW)).square().mean()
    return loss
