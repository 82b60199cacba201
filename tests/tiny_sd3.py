"""Tiny Stable Diffusion 3 models with random weights, in the published form and topology: two CLIP encoders with
projections, of which the second pads with "!", T5 or, as people save it to spare memory, no T5, and as in 3.5 medium a
first block in which the picture attends to itself alone, too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from tiny import RESOLUTION, tiny_tokenizer, use_published_forms
from tiny_family import Guided, TinyFamily
from tiny_parts import SETTINGS, T5_TOKENS, tiny_autoencoder, tiny_clip, tiny_t5, tiny_t5_tokenizer
from torch import Tensor
from transformers import CLIPTextModelWithProjection, T5EncoderModel

from imprint.models.families.sd3 import StableDiffusion3Source
from imprint.types import Sampler

WIDTHS = {"clip_l": 16, "clip_g": 24, "t5": 48}  # T5's is more than that of both CLIPs together
SUMMARIES = (12, 16)  # numbers of both CLIPs' projections
CELL = 4  # pixels on a side of a latent's pixel
WITHOUT_T5 = {"t5": False}
PLACES = 2 * RESOLUTION // CELL // 2  # for tokens on a side: pictures of twice the usual size


def tiny_sd3_pipeline(folder: Path, *, seed: int = 0, t5: bool = True) -> Path:
    """Writes a pipeline folder and returns it."""
    tokenizers = tiny_tokenizer(), tiny_tokenizer(pad="!"), tiny_t5_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        clips = [
            CLIPTextModelWithProjection(tiny_clip(tokenizer, width=width, act=act, projection_dim=summary))
            for tokenizer, width, act, summary in zip(
                tokenizers, (WIDTHS["clip_l"], WIDTHS["clip_g"]), ("quick_gelu", "gelu"), SUMMARIES, strict=False
            )
        ]
        pipeline = StableDiffusion3Pipeline(
            transformer=SD3Transformer2DModel(
                sample_size=RESOLUTION // CELL,
                patch_size=2,
                in_channels=4,
                out_channels=4,
                num_layers=2,
                attention_head_dim=8,
                num_attention_heads=4,
                joint_attention_dim=WIDTHS["t5"],
                caption_projection_dim=32,
                pooled_projection_dim=sum(SUMMARIES),
                pos_embed_max_size=PLACES,
                qk_norm="rms_norm",
                dual_attention_layers=(0,),
            ),
            vae=tiny_autoencoder(scale=1.5305, shift=0.0609),
            text_encoder=clips[0],
            text_encoder_2=clips[1],
            text_encoder_3=T5EncoderModel(tiny_t5(tokenizers[2], width=WIDTHS["t5"])).eval() if t5 else None,
            tokenizer=tokenizers[0],
            tokenizer_2=tokenizers[1],
            tokenizer_3=tokenizers[2] if t5 else None,
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        )
        _listen(pipeline.transformer)
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_sd3_source(path: Path | str, **settings: Any) -> StableDiffusion3Source:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 4.5, ""), "text_tokens": T5_TOKENS}
    return StableDiffusion3Source(source=str(path), **{**SETTINGS, **own, **settings})


def sd3_velocity(
    pipeline: StableDiffusion3Pipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]
) -> Tensor:
    """What the library's own parts predict while it trains."""
    tokens, _, summary, _ = pipeline.encode_prompt(
        list(captions),
        None,
        None,
        do_classifier_free_guidance=False,
        max_sequence_length=T5_TOKENS,
        device="cpu",
    )
    velocity: Tensor = pipeline.transformer(
        hidden_states=noisy_BCHW,
        timestep=1000 * s_B,
        encoder_hidden_states=tokens,
        pooled_projections=summary,
    ).sample
    return velocity


@torch.no_grad()
def _listen(transformer: SD3Transformer2DModel) -> None:
    """A random network of this width hardly listens to a text; larger weights where it comes in make it."""
    summary = transformer.time_text_embed.text_embedder
    for layer in (transformer.context_embedder, transformer.proj_out, summary.linear_1, summary.linear_2):
        layer.weight.mul_(3)


FAMILY = TinyFamily(
    tiny_sd3_pipeline,
    tiny_sd3_source,
    drawing={"max_sequence_length": T5_TOKENS},
    settings=[f"model.text_tokens={T5_TOKENS}"],
    forms={"without_t5": WITHOUT_T5},
    unread={"kohya": "the library loads nothing of it, without an error"},
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={  # times are logit-normal and shifted as the schedule is
        "dreambooth": ["method.roles=[denoiser,text,text_2,text_3]", "prior=generated", "prior.count=5"],
        "lora": ["method.roles=[denoiser,text,text_2]", "dataset.caption_dropout=0.3"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.roles=[denoiser,text,text_2]", "method.targets=[attention,text_stream]"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=[feed_forward,modulation]", "method.rank=1", "dataset.caption_dropout=0.5"],
    ],
    guided={
        "by no text": Guided(4.5, "", {"guidance_scale": 4.5}),
        "by a negative prompt": Guided(3.0, "a cat", {"guidance_scale": 3.0, "negative_prompt": "a cat"}),
        "without T5": Guided(4.5, "a cat", {"guidance_scale": 4.5, "negative_prompt": "a cat"}, WITHOUT_T5),
        "not at all": Guided(1.0, "", {"guidance_scale": 0.0}),  # as of a distilled checkpoint
    },
    velocity=sd3_velocity,
    misfits={
        ("transformer", "joint_attention_dim"): "expects 99 text features of text_encoder_3, which gives 48",
        ("transformer", "pooled_projection_dim"): "expects a summary of 99 features .* which give 28",
        ("text_encoder_2", "hidden_size"): "takes 48 text features, text_encoder and text_encoder_2 give 115 together",
        ("transformer", "in_channels"): "takes 99 channels, a latent has 4",
    },
)
