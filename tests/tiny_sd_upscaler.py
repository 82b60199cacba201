"""Tiny x4 upscalers with random weights, in the published form and topology: a denoiser that sees a low picture beside
the latent, is told its level of noise as a class, and has a block of cross-attention alone; OpenCLIP's text encoder."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)
from drawing import FACTOR, low_picture
from tiny import RESOLUTION, tiny_tokenizer, use_published_forms
from tiny_family import TinyFamily
from tiny_parts import SETTINGS, tiny_clip
from transformers import CLIPTextModel

from imprint.models.families.sd_upscaler import SDUpscalerSource
from imprint.types import Sampler

WIDTH = 16  # of a text token
LEVEL = 20
FROM_PHOTOS = {"from": "photo", "base": None, "level": LEVEL}
WORDS_ALONE = "what an upscaler adds comes from the picture beside the words"


def tiny_sd_upscaler_pipeline(folder: Path, *, seed: int = 0, factor: int = FACTOR) -> Path:
    """Writes a pipeline folder and returns it."""
    widths = {2: (8, 16), 4: (8, 8, 16)}[factor]
    tokenizer = tiny_tokenizer(pad="!")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionUpscalePipeline(
            vae=AutoencoderKL(
                block_out_channels=widths,
                down_block_types=("DownEncoderBlock2D",) * len(widths),
                up_block_types=("UpDecoderBlock2D",) * len(widths),
                layers_per_block=1,
                latent_channels=4,
                norm_num_groups=4,
                sample_size=RESOLUTION,
                scaling_factor=0.08333,
            ),
            text_encoder=CLIPTextModel(tiny_clip(tokenizer, width=WIDTH, act="gelu")),
            tokenizer=tokenizer,
            unet=UNet2DConditionModel(
                sample_size=RESOLUTION // factor,
                in_channels=7,
                out_channels=4,
                block_out_channels=(8, 16),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                layers_per_block=1,
                only_cross_attention=[False, True],
                attention_head_dim=2,
                use_linear_projection=True,
                cross_attention_dim=WIDTH,
                num_class_embeds=1000,
                norm_num_groups=4,
            ),
            low_res_scheduler=DDPMScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="scaled_linear"),
            scheduler=DDIMScheduler(
                beta_start=1e-4,
                beta_end=0.02,
                beta_schedule="scaled_linear",
                prediction_type="v_prediction",
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
            ),
        )
        _listen(pipeline.unet)
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_sd_upscaler_source(path: Path | str, **settings: Any) -> SDUpscalerSource:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 3.0, ""), "low_res": FROM_PHOTOS}
    return SDUpscalerSource(source=str(path), **{**SETTINGS, **own, **settings})


@torch.no_grad()
def _listen(unet: UNet2DConditionModel) -> None:
    """A random network of this width hardly listens to a text; larger weights on its way to the picture make it."""
    for name, module in unet.named_modules():
        if name.endswith(("attn1.to_v", "attn2.to_v", "attn1.to_out.0", "attn2.to_out.0")):
            module.weight.mul_(4)


FAMILY = TinyFamily(
    tiny_sd_upscaler_pipeline,
    tiny_sd_upscaler_source,
    drawing={"image": [low_picture()], "noise_level": LEVEL},
    settings=[f"model.low_res.level={LEVEL}"],
    refused=dict.fromkeys(["textual_inversion", "pivotal", "custom_diffusion"], WORDS_ALONE),
    golden={  # the noise on the low side is part of the sequences
        "dreambooth": ["dataset.crop=random", "dataset.flip=true"],
        "lora": ["method.targets=[attention,convolutions]", "dataset.caption_dropout=0.3", "prior=base_prediction"],
    },
    grid=[
        ["method=lora", "method.targets=[cross_attention]", "dataset.caption_dropout=0.5"],
        ["method=lora", "method.rank=1", "dataset.crop=random", "seed=2"],
        ["method=lora", "method.targets=[convolutions]", "method.rank=2"],
    ],
)
