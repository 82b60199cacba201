"""Tiny Stable Diffusion XL models with random weights, in the published form and topology: two text encoders of unlike
widths, of which the second pads with "!", finds a text's end by the largest id, and has a projection."""

from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tiny import RESOLUTION, tiny_tokenizer, use_published_forms
from tiny_family import TinyFamily
from tiny_parts import SETTINGS, tiny_clip
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from imprint.models.families.sdxl import StableDiffusionXLSource
from imprint.types import Sampler

WIDTHS = {"clip_l": 16, "clip_g": 24}
SUMMARY = 12  # numbers of the second text encoder's projection
TIME = 8  # numbers of each of the six of a picture's geometry


def tiny_sdxl_pipeline(
    folder: Path,
    *,
    prediction: Literal["epsilon", "v_prediction", "flow"] = "epsilon",
    zeros_for_empty: bool = True,
    seed: int = 0,
) -> Path:
    """Writes a pipeline folder and returns it."""
    tokenizers = tiny_tokenizer(), tiny_tokenizer(pad="!")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionXLPipeline(
            vae=_autoencoder(),
            text_encoder=CLIPTextModel(tiny_clip(tokenizers[0], width=WIDTHS["clip_l"], projection_dim=SUMMARY)),
            text_encoder_2=CLIPTextModelWithProjection(
                tiny_clip(
                    tokenizers[1],
                    width=WIDTHS["clip_g"],
                    act="gelu",
                    num_hidden_layers=3,
                    eos_token_id=2,
                    projection_dim=SUMMARY,
                )
            ),
            tokenizer=tokenizers[0],
            tokenizer_2=tokenizers[1],
            unet=_denoiser(),
            scheduler=_scheduler(prediction),
            force_zeros_for_empty_prompt=zeros_for_empty,
        )
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_sdxl_source(path: Path | str, **settings: Any) -> StableDiffusionXLSource:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 5.0, "")}
    return StableDiffusionXLSource(source=str(path), **{**SETTINGS, **own, **settings})


def _scheduler(prediction: str) -> EulerDiscreteScheduler | FlowMatchEulerDiscreteScheduler:
    if prediction == "flow":
        return FlowMatchEulerDiscreteScheduler(shift=3.0)
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
        prediction_type=prediction,
    )


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=RESOLUTION,
        scaling_factor=0.13025,
        force_upcast=True,
    )


def _denoiser() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=RESOLUTION // 4,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=[2, 4],
        transformer_layers_per_block=[1, 2],
        use_linear_projection=True,
        cross_attention_dim=sum(WIDTHS.values()),
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME,
        projection_class_embeddings_input_dim=6 * TIME + SUMMARY,
        norm_num_groups=4,
    )


ALL_PARTS = "[denoiser,text,text_2]"
FAMILY = TinyFamily(
    tiny_sdxl_pipeline,
    tiny_sdxl_source,
    golden={  # a second text encoder, and a denoiser that is told of sizes and crops
        "dreambooth": [
            f"method.roles={ALL_PARTS}",
            "prior=generated",
            "prior.count=5",
            "dataset.crop=random",
            "dataset.flip=true",
        ],
        "lora": [
            f"method.roles={ALL_PARTS}",
            "method.by_role={text_2:{rank:3,lr:1e-4}}",
            "dataset.caption_dropout=0.3",
        ],
        "textual_inversion": [
            "dataset.identifier='<new>'",
            "method.vectors=2",
            "method.lr=1e-2",
            "prior=base_prediction",
        ],
        "pivotal": ["dataset.identifier=auto", f"method.network.roles={ALL_PARTS}", "method.inversion=[0,0.75]"],
        "custom_diffusion": ["dataset.identifier=auto"],
    },
    grid=[
        ["method=lora", f"method.roles={ALL_PARTS}", "method.by_role={text_2:{rank:3}}"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.roles=[denoiser,text_2]", "seed=2"],
        ["method=lora", "method.roles=[text_2]", "method.rank=1", "dataset.crop=random", "dataset.flip=true"],
    ],
)
