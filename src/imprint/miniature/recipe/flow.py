"""The miniature of the flow kind: the other one's networks, taught the straight line between latent and noise.

The text encoder's output is nearly the same vector for every token of every caption. It is standardised first, and the
denoiser changed so that it computes what it did: what differs between captions is then as large as anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from diffusers import DPMSolverMultistepScheduler
from torch import Tensor, nn
from transformers import CLIPTokenizer

from imprint.miniature.recipe.denoiser import Generator, token_ids
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


@torch.no_grad()
def standardise(generator: Generator, tokenizer: CLIPTokenizer, captions: Sequence[str]) -> None:
    """Gives each number of the text encoder's output mean 0 and spread 1 over these captions. The denoiser's
    predictions stay what they are."""
    words = torch.cat(list(_words(generator, tokenizer, captions)))
    mean_D, std_D = words.mean(0), words.std(0)
    last = _last_norm(generator)
    last.weight.div_(std_D)
    last.bias.sub_(mean_D).div_(std_D)
    for name, attention in generator.unet.named_modules():
        if name.endswith("attn2"):
            # what all keys share changes no attention; what all values share is part of each output
            shared = attention.to_out[0].weight @ (attention.to_v.weight @ mean_D)
            attention.to_out[0].bias.add_(shared)
            attention.to_k.weight.mul_(std_D)
            attention.to_v.weight.mul_(std_D)


def _words(generator: Generator, tokenizer: CLIPTokenizer, captions: Sequence[str]) -> Iterator[Tensor]:
    for first in range(0, len(captions), 64):
        ids = token_ids(tokenizer, list(captions[first : first + 64]))
        yield generator.text_encoder(ids).last_hidden_state.flatten(0, 1)


def _last_norm(generator: Generator) -> nn.LayerNorm:
    norms = [module for name, module in generator.text_encoder.named_modules() if name.endswith("final_layer_norm")]
    [last] = norms
    assert isinstance(last, nn.LayerNorm)
    return last
