"""Stable Diffusion 1.x."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from pipelines.parts import autoencoder, clip_config, latent_side, on_cpu
from pipelines.tokenizers import byte_tokenizer


@dataclass(frozen=True, kw_only=True)
class StableDiffusion:
    """What the pipeline's computation depends on."""

    resolution: int
    unet_channels: tuple[int, ...]
    attention_levels: int  # of the UNet's, from the first on
    layers: int  # of each level, in UNet and autoencoder
    heads: int
    vae_channels: tuple[int, ...]
    latent_channels: int
    groups: int  # of the group norms
    text_width: int
    text_layers: int
    text_heads: int
    tokens: int

    family = "sd"

    def pipeline(self) -> StableDiffusionPipeline:
        tokenizer = byte_tokenizer(self.tokens)
        levels = len(self.unet_channels)
        attends = [level < self.attention_levels for level in range(levels)]
        return StableDiffusionPipeline(
            autoencoder(
                self.vae_channels,
                channels=self.latent_channels,
                groups=self.groups,
                resolution=self.resolution,
                layers=self.layers,
            ),
            CLIPTextModel(
                clip_config(tokenizer, width=self.text_width, layers=self.text_layers, heads=self.text_heads)
            ),
            tokenizer,
            UNet2DConditionModel(
                sample_size=latent_side(self.resolution, self.vae_channels),
                in_channels=self.latent_channels,
                out_channels=self.latent_channels,
                block_out_channels=self.unet_channels,
                down_block_types=tuple("CrossAttnDownBlock2D" if attends[i] else "DownBlock2D" for i in range(levels)),
                up_block_types=tuple("CrossAttnUpBlock2D" if attends[-1 - i] else "UpBlock2D" for i in range(levels)),
                layers_per_block=self.layers,
                attention_head_dim=self.heads,
                cross_attention_dim=self.text_width,
                norm_num_groups=self.groups,
            ),
            on_cpu(
                DDIMScheduler,
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                clip_sample=False,
                steps_offset=1,
            ),
            None,
            None,
            requires_safety_checker=False,
        )

    def inputs(self, samples: int) -> dict[str, Any]:
        """Of the denoiser, at random."""
        side = latent_side(self.resolution, self.vae_channels)
        return {
            "sample": torch.randn(samples, self.latent_channels, side, side),
            "timestep": torch.randint(0, 1000, (samples,)),
            "encoder_hidden_states": torch.randn(samples, self.tokens, self.text_width),
        }
