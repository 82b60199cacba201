"""Second stage: text encoder and UNet, trained together on the autoencoder's latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from imprint.miniature.canvas import stream
from imprint.miniature.captions import RARE_SHARE, caption
from imprint.miniature.recipe.latents import Latents
from imprint.miniature.recipe.loop import Course, autocast, fit
from imprint.miniature.recipe.middle import middle_of
from imprint.miniature.recipe.settings import CaptionedSettings, DenoiserSettings, TextSettings
from imprint.miniature.scene import Scene


class Generator(nn.Module):
    """The two networks that learn together."""

    def __init__(self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.unet = unet


def fresh(
    text: TextSettings,
    denoiser: DenoiserSettings,
    tokenizer: CLIPTokenizer,
    *,
    latent_channels: int,
    latent_size: int,
) -> Generator:
    levels = len(denoiser.channels)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=text.hidden,
            intermediate_size=4 * text.hidden,
            projection_dim=text.hidden,
            num_hidden_layers=text.layers,
            num_attention_heads=text.heads,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=latent_size, in_channels=latent_channels, out_channels=latent_channels,
        block_out_channels=list(denoiser.channels), layers_per_block=1, norm_num_groups=16,
        down_block_types=["CrossAttnDownBlock2D"] * levels, up_block_types=["CrossAttnUpBlock2D"] * levels,
        cross_attention_dim=text.hidden, attention_head_dim=denoiser.heads,
    )  # fmt: skip
    return Generator(text_encoder, unet)


def noise_schedule() -> DDIMScheduler:
    """Stable Diffusion's own."""
    return DDIMScheduler(
        num_train_timesteps=1000, beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
        clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="epsilon",
    )  # fmt: skip


def captions_of(scenes: Sequence[Scene], *, key: tuple[int, int], drop: float) -> list[str]:
    """A caption for each scene, newly worded for each `key`; a share `drop` is empty, for guidance."""
    rng = stream("captions", *key)
    return ["" if rng.random() < drop else caption(scene, rng, rare_share=RARE_SHARE) for scene in scenes]


def token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    padded = tokenizer(
        texts,
        padding="max_length",
        truncation=True,
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    )
    ids = padded.input_ids
    assert isinstance(ids, Tensor)
    return ids


def timesteps(batch: int, steps: int, *, uniform_share: float) -> Tensor:
    """Spread evenly over the batch: a share of them uniform, the others crowded where shapes are decided.

    The crowd is logistic-normal around 0.4 of the schedule: there the places and colours are settled already,
    and what goes where is not.
    """
    uniform = round(batch * uniform_share)
    even = (torch.arange(uniform) + torch.rand(uniform)) / uniform if uniform else torch.empty(0)
    crowd = (torch.arange(batch - uniform) + torch.rand(batch - uniform)) / max(1, batch - uniform)
    normal = torch.special.ndtri(crowd.double().clamp(1e-6, 1 - 1e-6)).float()
    return (torch.cat([even, torch.sigmoid(normal - 0.4)]) * steps).long().clamp(max=steps - 1)


# of the networks, the latents of a batch of pictures, and their captions as tokens
Loss = Callable[[Generator, Tensor, Tensor], Tensor]


def denoising_loss(
    settings: DenoiserSettings, alphas_T: Tensor, generator: Generator, latents_BCHW: Tensor, ids_BT: Tensor
) -> Tensor:
    """Min-SNR weighted error of the predicted noise, which counts more where the subject is."""
    batch, steps = latents_BCHW.shape[0], alphas_T.shape[0]
    device = latents_BCHW.device
    t_B = timesteps(batch, steps, uniform_share=settings.uniform_share).to(device)
    noise = torch.randn(latents_BCHW.shape).to(device)
    alpha_B = alphas_T[t_B]
    noisy = alpha_B.sqrt().view(-1, 1, 1, 1) * latents_BCHW + (1 - alpha_B).sqrt().view(-1, 1, 1, 1) * noise
    with autocast(device):
        words = generator.text_encoder(ids_BT).last_hidden_state
        predicted = generator.unet(noisy, t_B, words).sample
    weight_HW = 1 + settings.centre_weight * middle_of(latents_BCHW.shape[-1]).to(device)
    error_B = ((predicted.float() - noise).square() * (weight_HW / weight_HW.mean())).mean((1, 2, 3))
    snr_B = alpha_B / (1 - alpha_B)
    loss: Tensor = (error_B * snr_B.clamp(max=settings.snr_cap) / snr_B).mean()
    return loss


def train(
    generator: Generator,
    settings: CaptionedSettings,
    latents: Latents,
    scenes: Sequence[Scene],
    tokenizer: CLIPTokenizer,
    *,
    course: Course,
    loss: Loss,
) -> Generator:
    """The trained networks. `scenes[i]` is the truth of sample i; the last `latents.held_out` only measure."""
    if course.device.type == "cpu":
        # The fused attention's backward pass in bfloat16 doubles the step's time on a CPU.
        generator.unet.set_attn_processor(AttnProcessor())
        generator.text_encoder.set_attn_implementation("eager")
    count = len(scenes) - latents.held_out

    def loss_on(rows: np.ndarray, network: Generator, key: int, drop: float) -> Tensor:
        texts = captions_of([scenes[i] for i in rows], key=(course.seed, key), drop=drop)
        ids = token_ids(tokenizer, texts).to(course.device)
        return loss(network, latents.sample(rows).to(course.device), ids)

    def loss_at(network: Generator, step: int) -> Tensor:
        rows = np.random.default_rng((course.seed, step)).integers(0, count, settings.batch)
        return loss_on(rows, network, step, settings.drop_caption)

    def quality(average: Generator) -> str:
        torch.manual_seed(course.seed)
        return f"held out {loss_on(np.arange(count, len(scenes)), average, 0, 0.0).item():.4f}"

    return fit(generator, course, loss_at, quality)
