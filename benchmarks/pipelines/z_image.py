"""Z-Image."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from torch import nn
from transformers import Qwen3Config, Qwen3Model

from pipelines.parts import flow_autoencoder, latent_side, on_cpu
from pipelines.tokenizers import chat_tokenizer

CAPTION = 24  # tokens of a short one, with the chat around it


@dataclass(frozen=True, kw_only=True)
class ZImage:
    """What the pipeline's computation depends on."""

    resolution: int
    width: int
    heads: int
    rope: tuple[int, int, int]  # of a head's numbers, for each axis
    layers: int
    refiner_layers: int  # of each of the two streams, before they become one
    vae_channels: tuple[int, ...]
    groups: int
    text_width: int
    text_inner: int
    text_layers: int
    text_heads: tuple[int, int]  # of queries, and of keys and values
    tokens: int

    family = "z_image"

    def pipeline(self) -> ZImagePipeline:
        tokenizer = chat_tokenizer(1024)
        transformer = ZImageTransformer2DModel(
            in_channels=16,
            dim=self.width,
            n_layers=self.layers,
            n_refiner_layers=self.refiner_layers,
            n_heads=self.heads,
            n_kv_heads=self.heads,
            cap_feat_dim=self.text_width,
            axes_dims=list(self.rope),
            axes_lens=[1536, 512, 512],
        )
        for filling in (transformer.x_pad_token, transformer.cap_pad_token):
            nn.init.normal_(filling, std=0.02)  # torch leaves them as the memory was
        return ZImagePipeline(
            transformer=transformer,
            vae=flow_autoencoder(self.vae_channels, groups=self.groups, resolution=self.resolution),
            text_encoder=Qwen3Model(
                Qwen3Config(
                    vocab_size=len(tokenizer) + 20,
                    hidden_size=self.text_width,
                    intermediate_size=self.text_inner,
                    num_hidden_layers=self.text_layers,
                    num_attention_heads=self.text_heads[0],
                    num_key_value_heads=self.text_heads[1],
                    head_dim=self.text_width // self.text_heads[0],
                    max_position_embeddings=1024,
                )
            ).eval(),
            tokenizer=tokenizer,
            scheduler=on_cpu(FlowMatchEulerDiscreteScheduler, shift=6.0),
        )

    def inputs(self, samples: int) -> dict[str, Any]:
        """Of the denoiser, at random."""
        side = latent_side(self.resolution, self.vae_channels)
        return {
            "x": [torch.randn(16, 1, side, side) for _ in range(samples)],
            "t": torch.rand(samples),
            "cap_feats": [torch.randn(CAPTION, self.text_width) for _ in range(samples)],
        }
