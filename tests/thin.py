"""Stable Diffusion models with the published topologies, every layer of them, but few channels and random weights.

Names in files, blocks, kinds of layers and what other programs infer from them are those of the real models.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tiny import tiny_tokenizer, use_published_forms
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

THIN = ("sd1", "sd2", "sdxl")
CHOICES = {"sd1": "sd", "sd2": "sd", "sdxl": "sdxl"}  # what `model=` is for each
PIXELS = 64
WIDTH = 32  # of a text encoder; of Stable Diffusion XL's second one twice that

_NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
_FOUR = {"block_out_channels": (32, 32, 64, 64), "cross_attention_dim": WIDTH}
_UNETS: dict[str, dict[str, Any]] = {
    "sd1": {**_FOUR, "attention_head_dim": 8},
    "sd2": {**_FOUR, "attention_head_dim": [2, 2, 4, 4], "use_linear_projection": True},
    "sdxl": {
        "block_out_channels": (32, 64, 64),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": [2, 4, 4],
        "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True,
        "cross_attention_dim": 3 * WIDTH,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 2 * WIDTH,
    },
}


def thin_pipeline(family: str, folder: Path) -> Path:
    """Writes a pipeline folder in the published form and returns it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = _sdxl() if family == "sdxl" else _sd(family)
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def _sd(family: str) -> StableDiffusionPipeline:
    tokenizer = tiny_tokenizer()
    first = family == "sd1"
    text = _text(tokenizer, WIDTH, layers=12 if first else 23, act="quick_gelu" if first else "gelu")
    return StableDiffusionPipeline(
        vae=_autoencoder(0.18215),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(sample_size=PIXELS // 8, **_UNETS[family]),
        scheduler=DDIMScheduler(**_NOISE, set_alpha_to_one=False, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl() -> StableDiffusionXLPipeline:
    tokenizers = tiny_tokenizer(), tiny_tokenizer(pad="!")
    second = _text(tokenizers[1], 2 * WIDTH, layers=32, act="gelu", eos_token_id=2)
    return StableDiffusionXLPipeline(
        vae=_autoencoder(0.13025),
        text_encoder=CLIPTextModel(_text(tokenizers[0], WIDTH, layers=12, act="quick_gelu")),
        text_encoder_2=CLIPTextModelWithProjection(second),
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        unet=UNet2DConditionModel(sample_size=PIXELS // 8, **_UNETS["sdxl"]),
        scheduler=EulerDiscreteScheduler(**_NOISE, timestep_spacing="leading"),
    )


def _autoencoder(scale: float) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=PIXELS,
        scaling_factor=scale,
    )


def _text(tokenizer: CLIPTokenizer, width: int, *, layers: int, act: str, **more: Any) -> CLIPTextConfig:
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        hidden_act=act,
        projection_dim=width,
        pad_token_id=tokenizer.pad_token_id,
        **{**ends, **more},
    )
