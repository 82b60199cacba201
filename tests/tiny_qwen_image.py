"""Tiny Qwen-Image models with random weights, in the published form and topology: a language model with eyes, to which
the request has as many tokens as to the published one, blocks of two streams, an autoencoder of videos."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)
from tiny import use_published_forms
from tiny_family import Guided, TinyFamily
from tiny_parts import SETTINGS, tiny_qwen_tokenizer
from torch import Tensor
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

from imprint.models.families.qwen_image import REQUEST, QwenImageSource
from imprint.types import Sampler

WIDTH = 32  # of a text token
CHANNELS = 4


def tiny_qwen_image_pipeline(folder: Path, *, seed: int = 0) -> Path:
    """Writes a pipeline folder and returns it."""
    # every word of the request is one token, as in the published vocabulary
    tokenizer = tiny_qwen_tokenizer(sorted({*re.findall("[A-Za-z]+", re.sub("<.*?>", "", REQUEST))}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = QwenImagePipeline(
            transformer=QwenImageTransformer2DModel(
                patch_size=2,
                in_channels=4 * CHANNELS,
                out_channels=CHANNELS,
                num_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=WIDTH,
                axes_dims_rope=(4, 6, 6),
            ),
            vae=tiny_video_autoencoder(),
            text_encoder=Qwen2_5_VLForConditionalGeneration(tiny_qwen_vl(tokenizer)).eval(),
            tokenizer=tokenizer,
            scheduler=FlowMatchEulerDiscreteScheduler(
                shift=1.0,
                use_dynamic_shifting=True,
                base_shift=0.5,
                max_shift=0.9,
                base_image_seq_len=256,
                max_image_seq_len=8192,
                shift_terminal=0.02,
            ),
        )
        _listen(pipeline.transformer)
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_qwen_image_source(path: Path | str, **settings: Any) -> QwenImageSource:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 4.0, " "), "text_tokens": 512}
    return QwenImageSource(source=str(path), **{**SETTINGS, **own, **settings})


def tiny_video_autoencoder() -> AutoencoderKLQwenImage:
    """A cell has 4 x 4 pixels."""
    return AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=CHANNELS,
        dim_mult=[1, 1, 1],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[False, True],
        latents_mean=[0.1, -0.2, 0.3, 0.0],
        latents_std=[0.8, 1.2, 0.5, 1.0],
    )


def tiny_qwen_vl(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLConfig:
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer) + 20,  # as published: more rows than tokens
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6},
            "bos_token_id": None,
            "eos_token_id": None,
            "pad_token_id": None,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
        },
    )


def qwen_image_velocity(
    pipeline: QwenImagePipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]
) -> Tensor:
    """What the library's own parts predict while it trains."""
    tokens, mask = pipeline.encode_prompt(list(captions), device="cpu")
    batch, channels, height, width = noisy_BCHW.shape
    velocity = pipeline.transformer(
        hidden_states=QwenImagePipeline._pack_latents(noisy_BCHW, batch, channels, height, width),
        timestep=s_B,
        encoder_hidden_states=tokens,
        encoder_hidden_states_mask=mask,
        img_shapes=[[(1, height // 2, width // 2)]] * batch,
    ).sample
    cell = pipeline.vae_scale_factor
    return QwenImagePipeline._unpack_latents(velocity, height * cell, width * cell, cell)[:, :, 0]


@torch.no_grad()
def _listen(transformer: QwenImageTransformer2DModel) -> None:
    """A random network of this width hardly listens to a text; larger weights on its way to the picture make it."""
    for layer in (transformer.txt_in, transformer.proj_out):
        layer.weight.mul_(6)
    for block in transformer.transformer_blocks:
        for layer in (block.attn.add_v_proj, block.attn.to_out[0]):
            layer.weight.mul_(4)


FAMILY = TinyFamily(
    tiny_qwen_image_pipeline,
    tiny_qwen_image_source,
    drawing={"negative_prompt": ""},
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={  # times are logit-normal and shifted by resolution
        "dreambooth": ["method.roles=[denoiser,text]", "prior=generated", "prior.count=5"],
        "lora": ["prior=base_prediction", "objective=min_snr", "dataset.caption_dropout=0.5"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.targets=[attention,text_stream]", "dataset.caption_dropout=0.5"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=[feed_forward,modulation]", "method.rank=1"],
    ],
    guided={
        "no negative prompt": Guided(4.0, "", {"true_cfg_scale": 4.0, "negative_prompt": ""}),
        "by a negative prompt": Guided(
            3.0, "a cat on snow", {"true_cfg_scale": 3.0, "negative_prompt": "a cat on snow"}
        ),
        "not guided": Guided(1.0, "", {"true_cfg_scale": 1.0}),
    },
    velocity=qwen_image_velocity,
    misfits={
        ("transformer", "joint_attention_dim"): "expects 99 text features of text_encoder, which gives 32",
        ("transformer", "in_channels"): "takes 99 channels, a token has 16",
        ("transformer", "zero_cond_t"): "is told more than a text .zero_cond_t., as of models that edit",
        ("vae", "z_dim"): "takes 16 channels, a token has 396",
    },
)
