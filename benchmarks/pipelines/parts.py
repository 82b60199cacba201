"""Parts that several families have."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextConfig, CLIPTokenizer

T = TypeVar("T")


def on_cpu(make: Callable[..., T], **settings: Any) -> T:
    """Schedulers compute with numpy, also where networks are made on a GPU."""
    with torch.device("cpu"):
        return make(**settings)


def clip_config(tokenizer: CLIPTokenizer, *, width: int, layers: int, heads: int, **more: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **{"projection_dim": width, **more},
    )


def autoencoder(
    widths: tuple[int, ...], *, channels: int, groups: int, resolution: int, layers: int = 2, **more: Any
) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=layers,
        latent_channels=channels,
        norm_num_groups=groups,
        sample_size=resolution,
        **more,
    )


def flow_autoencoder(widths: tuple[int, ...], *, groups: int, resolution: int, layers: int = 2) -> AutoencoderKL:
    """FLUX.1's, which others took over: shifted latents of 16 channels, and no convolutions around them."""
    return autoencoder(
        widths,
        channels=16,
        groups=groups,
        resolution=resolution,
        layers=layers,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def latent_side(resolution: int, vae_channels: tuple[int, ...]) -> int:
    return resolution // 2 ** (len(vae_channels) - 1)
