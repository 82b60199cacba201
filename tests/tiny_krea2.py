"""Tiny Krea 2 models with random weights, in the published form and topology: a language model with eyes, several
layers of which are told, a small transformer that weighs them, blocks of one stream, an autoencoder of videos."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Krea2Pipeline, Krea2Transformer2DModel
from tiny import use_published_forms
from tiny_family import Guided, TinyFamily
from tiny_parts import SETTINGS, tiny_qwen_tokenizer
from tiny_qwen_image import CHANNELS, tiny_video_autoencoder
from torch import Tensor
from transformers import Qwen3VLConfig, Qwen3VLModel

from imprint.models.families.krea2 import Krea2Source
from imprint.models.families.qwen_image import REQUEST
from imprint.types import Sampler

WIDTH = 32  # of a text token
LAYERS = (0, 1, 2)  # of the language model, that are told


def tiny_krea2_pipeline(folder: Path, *, distilled: bool = False, seed: int = 0) -> Path:
    """Writes a pipeline folder and returns it. `distilled`: as Turbo, whose schedule has one shift for all sizes."""
    # every word of the request is one token, as in the published vocabulary
    tokenizer = tiny_qwen_tokenizer(sorted({*re.findall("[A-Za-z]+", re.sub("<.*?>", "", REQUEST))}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = Krea2Pipeline(
            transformer=Krea2Transformer2DModel(
                in_channels=4 * CHANNELS,
                num_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                num_key_value_heads=1,
                intermediate_size=64,
                timestep_embed_dim=16,
                text_hidden_dim=WIDTH,
                num_text_layers=len(LAYERS),
                text_num_attention_heads=2,
                text_num_key_value_heads=1,
                text_intermediate_size=32,
                num_layerwise_text_blocks=1,
                num_refiner_text_blocks=1,
                axes_dims_rope=(8, 4, 4),
            ),
            vae=tiny_video_autoencoder(),
            text_encoder=Qwen3VLModel(
                Qwen3VLConfig(
                    text_config={
                        "vocab_size": len(tokenizer) + 20,  # as published: more rows than tokens
                        "hidden_size": WIDTH,
                        "intermediate_size": 2 * WIDTH,
                        "num_hidden_layers": 3,
                        "num_attention_heads": 4,
                        "num_key_value_heads": 2,
                        "head_dim": 8,
                    },
                    vision_config={
                        "depth": 1,
                        "hidden_size": 16,
                        "intermediate_size": 16,
                        "num_heads": 2,
                        "out_hidden_size": WIDTH,
                    },
                )
            ).eval(),
            tokenizer=tokenizer,
            scheduler=FlowMatchEulerDiscreteScheduler(
                use_dynamic_shifting=True,
                base_shift=0.5,
                max_shift=1.15,
                base_image_seq_len=256,
                max_image_seq_len=6400,
            ),
            text_encoder_select_layers=LAYERS,
            is_distilled=distilled,
        )
        _listen(pipeline.transformer)
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_krea2_source(path: Path | str, **settings: Any) -> Krea2Source:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 4.5, ""), "text_tokens": 512}
    return Krea2Source(source=str(path), **{**SETTINGS, **own, **settings})


def krea2_velocity(pipeline: Krea2Pipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]) -> Tensor:
    """What the library's own parts predict."""
    tokens, mask = pipeline.encode_prompt(list(captions), device="cpu")
    batch, channels, height, width = noisy_BCHW.shape
    velocity = pipeline.transformer(
        hidden_states=pipeline._pack_latents(noisy_BCHW, batch, channels, height, width),
        encoder_hidden_states=tokens,
        timestep=s_B,
        position_ids=pipeline.prepare_position_ids(tokens.shape[1], height // 2, width // 2, torch.device("cpu")),
        encoder_attention_mask=mask,
    ).sample
    cell = pipeline.vae_scale_factor
    return pipeline._unpack_latents(velocity, height * cell, width * cell)[:, :, 0]


@torch.no_grad()
def _listen(transformer: Krea2Transformer2DModel) -> None:
    """A random network of this width hardly listens to a text; larger weights on its way to the picture make it."""
    ends = (transformer.txt_in.linear_1, transformer.txt_in.linear_2, transformer.final_layer.linear)
    for layer in (*ends, transformer.time_mod_proj):
        layer.weight.mul_(6)
    for block in transformer.transformer_blocks:
        for layer in (block.attn.to_v, block.attn.to_out[0]):
            layer.weight.mul_(4)


FAMILY = TinyFamily(
    tiny_krea2_pipeline,
    tiny_krea2_source,
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={  # times are logit-normal and shifted by resolution
        "dreambooth": ["method.roles=[denoiser,text]", "prior=generated", "prior.count=5"],
        "lora": ["prior=base_prediction", "objective=min_snr", "dataset.caption_dropout=0.5"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.targets=[attention,text_stream]", "method.dropout=0.5"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=[feed_forward,modulation]", "method.rank=1", "dataset.caption_dropout=0.5"],
    ],
    guided={
        "by a negative prompt": Guided(
            4.5, "a cat on snow", {"guidance_scale": 4.5, "negative_prompt": "a cat on snow"}
        ),
        "a little": Guided(0.5, "", {"guidance_scale": 0.5}),
        "Turbo": Guided(0.0, "", {"guidance_scale": 0.0}, {"distilled": True}),
    },
    velocity=krea2_velocity,
    misfits={
        ("transformer", "text_hidden_dim"): "expects 99 text features of text_encoder, which gives 32",
        ("transformer", "in_channels"): "takes 99 channels, a token has 16",
        ("transformer", "num_text_layers"): "reads 99 layers of a text encoder, which has 3",
    },
)
