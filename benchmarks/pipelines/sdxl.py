"""Stable Diffusion XL."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from pipelines.parts import autoencoder, clip_config, latent_side, on_cpu
from pipelines.tokenizers import byte_tokenizer


@dataclass(frozen=True, kw_only=True)
class StableDiffusionXL:
    """What the pipeline's computation depends on. Text encoders: CLIP-L and CLIP-G."""

    resolution: int
    unet_channels: tuple[int, ...]  # the first level has no attention
    depths: tuple[int, ...]  # transformer layers of each block, by level
    heads: tuple[int, ...]
    layers: int
    vae_channels: tuple[int, ...]
    groups: int
    text_widths: tuple[int, int]
    text_layers: tuple[int, int]
    text_heads: tuple[int, int]
    time_width: int  # of each of the six numbers of a picture's geometry
    tokens: int

    family = "sdxl"

    def pipeline(self) -> StableDiffusionXLPipeline:
        tokenizers = byte_tokenizer(self.tokens), byte_tokenizer(self.tokens, pad="!")
        summary = self.text_widths[1]
        configs = [
            clip_config(tokenizer, width=width, layers=layers, heads=heads, projection_dim=summary, hidden_act=act)
            for tokenizer, width, layers, heads, act in zip(
                tokenizers, self.text_widths, self.text_layers, self.text_heads, ("quick_gelu", "gelu"), strict=True
            )
        ]
        attending = len(self.unet_channels) - 1
        return StableDiffusionXLPipeline(
            vae=autoencoder(
                self.vae_channels, channels=4, groups=self.groups, resolution=self.resolution, scaling_factor=0.13025
            ),
            text_encoder=CLIPTextModel(configs[0]),
            text_encoder_2=CLIPTextModelWithProjection(configs[1]),
            tokenizer=tokenizers[0],
            tokenizer_2=tokenizers[1],
            unet=UNet2DConditionModel(
                sample_size=latent_side(self.resolution, self.vae_channels),
                block_out_channels=self.unet_channels,
                down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * attending),
                up_block_types=(*("CrossAttnUpBlock2D",) * attending, "UpBlock2D"),
                layers_per_block=self.layers,
                attention_head_dim=list(self.heads),
                transformer_layers_per_block=list(self.depths),
                use_linear_projection=True,
                cross_attention_dim=sum(self.text_widths),
                addition_embed_type="text_time",
                addition_time_embed_dim=self.time_width,
                projection_class_embeddings_input_dim=6 * self.time_width + summary,
                norm_num_groups=self.groups,
            ),
            scheduler=on_cpu(
                EulerDiscreteScheduler,
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                steps_offset=1,
                timestep_spacing="leading",
            ),
        )

    def inputs(self, samples: int) -> dict[str, Any]:
        """Of the denoiser, at random."""
        side = latent_side(self.resolution, self.vae_channels)
        return {
            "sample": torch.randn(samples, 4, side, side),
            "timestep": torch.randint(0, 1000, (samples,)),
            "encoder_hidden_states": torch.randn(samples, self.tokens, sum(self.text_widths)),
            "added_cond_kwargs": {
                "text_embeds": torch.randn(samples, self.text_widths[1]),
                "time_ids": torch.full((samples, 6), float(self.resolution)),
            },
        }
