"""FLUX.1 dev."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextModel, T5Config, T5EncoderModel

from pipelines.parts import clip_config, flow_autoencoder, latent_side, on_cpu
from pipelines.tokenizers import byte_tokenizer, letter_tokenizer


@dataclass(frozen=True, kw_only=True)
class Flux:
    """What the pipeline's computation depends on."""

    resolution: int
    heads: int
    head_width: int
    rope: tuple[int, int, int]  # of a head's numbers, for each axis
    double_layers: int
    single_layers: int
    vae_channels: tuple[int, ...]
    groups: int
    clip_width: int
    clip_layers: int
    clip_heads: int
    t5_width: int
    t5_inner: int
    t5_layers: int
    t5_heads: int
    tokens: int  # that T5 reads of a caption; CLIP reads 77

    family = "flux"

    def pipeline(self) -> FluxPipeline:
        tokenizers = byte_tokenizer(77), letter_tokenizer(self.tokens)
        return FluxPipeline(
            transformer=FluxTransformer2DModel(
                in_channels=64,
                num_layers=self.double_layers,
                num_single_layers=self.single_layers,
                attention_head_dim=self.head_width,
                num_attention_heads=self.heads,
                joint_attention_dim=self.t5_width,
                pooled_projection_dim=self.clip_width,
                guidance_embeds=True,
                axes_dims_rope=self.rope,
            ),
            vae=flow_autoencoder(self.vae_channels, groups=self.groups, resolution=self.resolution),
            text_encoder=CLIPTextModel(
                clip_config(tokenizers[0], width=self.clip_width, layers=self.clip_layers, heads=self.clip_heads)
            ),
            text_encoder_2=T5EncoderModel(
                T5Config(
                    vocab_size=len(tokenizers[1]) + 20,
                    d_model=self.t5_width,
                    d_kv=64,
                    d_ff=self.t5_inner,
                    num_layers=self.t5_layers,
                    num_heads=self.t5_heads,
                    feed_forward_proj="gated-gelu",
                    is_encoder_decoder=False,
                    use_cache=False,
                )
            ).eval(),
            tokenizer=tokenizers[0],
            tokenizer_2=tokenizers[1],
            scheduler=on_cpu(
                FlowMatchEulerDiscreteScheduler,
                shift=3.0,
                use_dynamic_shifting=True,
                base_shift=0.5,
                max_shift=1.15,
                base_image_seq_len=256,
                max_image_seq_len=4096,
            ),
        )

    def inputs(self, samples: int) -> dict[str, Any]:
        """Of the denoiser, at random."""
        side = latent_side(self.resolution, self.vae_channels) // 2
        return {
            "hidden_states": torch.randn(samples, side * side, 64),
            "timestep": torch.rand(samples),
            "guidance": torch.ones(samples),
            "pooled_projections": torch.randn(samples, self.clip_width),
            "encoder_hidden_states": torch.randn(samples, self.tokens, self.t5_width),
            "txt_ids": torch.zeros(self.tokens, 3),
            "img_ids": torch.cartesian_prod(torch.arange(1), torch.arange(side), torch.arange(side)).float(),
        }
