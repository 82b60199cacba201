"""Tiny Sana models with random weights, in the published form and topology: a language model behind an instruction,
cross-attention to it, an autoencoder without a distribution, and a scheduler of flow by a setting."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel
from tiny import RESOLUTION
from tiny_family import Guided, TinyFamily
from tiny_parts import SETTINGS, tiny_gemma_tokenizer
from torch import Tensor
from transformers import Gemma2Config, Gemma2Model

from imprint.models.families.sana import INSTRUCTION, SanaSource
from imprint.types import Sampler

WIDTH = 32  # of a text token
CHANNELS = 8
TOKENS = 40  # of a caption


def tiny_sana_pipeline(folder: Path, *, qk_norm: str | None = None, seed: int = 0) -> Path:
    """Writes a pipeline folder and returns it. `qk_norm`: as Sana 1.5 has it."""
    tokenizer = tiny_gemma_tokenizer(sorted({*re.findall("[A-Za-z]+", INSTRUCTION)}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = SanaPipeline(
            transformer=SanaTransformer2DModel(
                patch_size=1,
                in_channels=CHANNELS,
                out_channels=CHANNELS,
                num_layers=2,
                num_attention_heads=2,
                attention_head_dim=16,
                num_cross_attention_heads=2,
                cross_attention_head_dim=16,
                cross_attention_dim=32,
                caption_channels=WIDTH,
                qk_norm=qk_norm,
                sample_size=RESOLUTION // 4,
            ),
            vae=tiny_dc_autoencoder(),
            text_encoder=Gemma2Model(
                Gemma2Config(
                    vocab_size=len(tokenizer),
                    hidden_size=WIDTH,
                    intermediate_size=2 * WIDTH,
                    num_hidden_layers=2,
                    num_attention_heads=4,
                    num_key_value_heads=2,
                    head_dim=8,
                    max_position_embeddings=1024,
                )
            ).eval(),
            tokenizer=tokenizer,
            scheduler=DPMSolverMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
            ),
        )
        _listen(pipeline.transformer)
    pipeline.save_pretrained(folder)
    return folder


def tiny_sana_source(path: Path | str, **settings: Any) -> SanaSource:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 4.5, ""), "text_tokens": TOKENS}
    return SanaSource(source=str(path), **{**SETTINGS, **own, **settings})


def tiny_dc_autoencoder() -> AutoencoderDC:
    """A cell has 4 x 4 pixels."""
    blocks = ("ResBlock", "ResBlock", "EfficientViTBlock")
    return AutoencoderDC(
        latent_channels=CHANNELS,
        attention_head_dim=4,
        encoder_block_types=blocks,
        decoder_block_types=blocks,
        encoder_block_out_channels=(8, 8, 16),
        decoder_block_out_channels=(8, 8, 16),
        encoder_qkv_multiscales=((), (), (5,)),
        decoder_qkv_multiscales=((), (), (5,)),
        encoder_layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        scaling_factor=0.41407,
    )


def sana_velocity(pipeline: SanaPipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]) -> Tensor:
    """What the library's own parts predict while it trains; a dropped caption is as an empty negative prompt."""
    instruction = INSTRUCTION.split("\n")
    velocities = []
    for noisy, s, caption in zip(noisy_BCHW.split(1), s_B.split(1), captions, strict=True):
        tokens, mask, negative_tokens, negative_mask = pipeline.encode_prompt(
            caption, device="cpu", max_sequence_length=TOKENS, complex_human_instruction=instruction
        )
        velocities.append(
            pipeline.transformer(
                noisy,
                encoder_hidden_states=tokens if caption else negative_tokens,
                encoder_attention_mask=mask if caption else negative_mask,
                timestep=s * 1000,
            ).sample
        )
    return torch.cat(velocities)


@torch.no_grad()
def _listen(transformer: SanaTransformer2DModel) -> None:
    """A random network of this width hardly listens to a text; larger weights on its way to the picture make it."""
    for block in transformer.transformer_blocks:
        for layer in (block.attn2.to_v, block.attn2.to_out[0]):
            layer.weight.mul_(3)


FAMILY = TinyFamily(
    tiny_sana_pipeline,
    tiny_sana_source,
    drawing={"use_resolution_binning": False, "max_sequence_length": TOKENS},
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={  # times are logit-normal and shifted
        "dreambooth": ["method.roles=[denoiser,text]", "prior=generated", "prior.count=5"],
        "lora": ["prior=base_prediction", "objective=min_snr", "dataset.caption_dropout=0.5"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.targets=[cross_attention]", "dataset.caption_dropout=0.5"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=[feed_forward,modulation]", "method.rank=1"],
    ],
    guided={
        "guided": Guided(4.5, "", {"guidance_scale": 4.5}),
        "by a negative prompt": Guided(
            3.0, "a Cat on snow ", {"guidance_scale": 3.0, "negative_prompt": "a Cat on snow "}
        ),
        "not guided, 1.5": Guided(1.0, "", {"guidance_scale": 1.0}, {"qk_norm": "rms_norm_across_heads"}),
    },
    velocity=sana_velocity,
    misfits={
        ("transformer", "caption_channels"): "expects 99 text features of text_encoder, which gives 32",
        ("transformer", "in_channels"): "takes 99 channels, a latent has 8",
        ("transformer", "guidance_embeds"): "is told a guidance",
    },
)
