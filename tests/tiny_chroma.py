"""Tiny Chroma models with random weights, in the published form and topology: T5 alone reads the caption, and a small
network makes the modulation of all blocks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler
from tiny import use_published_forms
from tiny_family import Guided, TinyFamily
from tiny_parts import SETTINGS, T5_TOKENS, tiny_autoencoder, tiny_t5, tiny_t5_tokenizer
from torch import Tensor
from transformers import T5EncoderModel

from imprint.models.families.chroma import ChromaSource
from imprint.types import Sampler

WIDTH = 24  # of T5


def tiny_chroma_pipeline(folder: Path, *, seed: int = 0) -> Path:
    """Writes a pipeline folder and returns it."""
    tokenizer = tiny_t5_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = ChromaPipeline(
            transformer=ChromaTransformer2DModel(
                patch_size=1,
                in_channels=4 * 4,
                num_layers=1,
                num_single_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=WIDTH,
                axes_dims_rope=(4, 6, 6),
                approximator_num_channels=64,
                approximator_hidden_dim=32,
                approximator_layers=1,
            ),
            vae=tiny_autoencoder(),
            text_encoder=T5EncoderModel(tiny_t5(tokenizer, width=WIDTH)).eval(),
            tokenizer=tokenizer,
            scheduler=FlowMatchEulerDiscreteScheduler(
                shift=3.0,
                use_dynamic_shifting=True,
                base_shift=0.5,
                max_shift=1.15,
                base_image_seq_len=256,
                max_image_seq_len=4096,
            ),
        )
        _listen(pipeline)
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_chroma_source(path: Path | str, **settings: Any) -> ChromaSource:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 5.0, ""), "text_tokens": T5_TOKENS}
    return ChromaSource(source=str(path), **{**SETTINGS, **own, **settings})


def with_boolean_masks(pipeline: ChromaPipeline) -> None:
    """As its pull request 12263 had it: since 12508, its masks are numbers, which attention adds to its scores."""
    prepare = pipeline._prepare_attention_mask

    def prepared(*told: Any, **more: Any) -> Tensor | None:
        mask = prepare(*told, **more)
        return None if mask is None else mask.bool()

    pipeline._prepare_attention_mask = prepared


def chroma_velocity(pipeline: ChromaPipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]) -> Tensor:
    """What the library's own parts predict while it trains, for captions of any length together."""
    tokens, text_ids, mask, *_ = pipeline.encode_prompt(
        list(captions), do_classifier_free_guidance=False, max_sequence_length=T5_TOKENS, device="cpu"
    )
    batch, channels, height, width = noisy_BCHW.shape
    squares = ChromaPipeline._pack_latents(noisy_BCHW, batch, channels, height, width)
    velocity = pipeline.transformer(
        hidden_states=squares,
        timestep=s_B,
        encoder_hidden_states=tokens,
        txt_ids=text_ids,
        img_ids=ChromaPipeline._prepare_latent_image_ids(1, height // 2, width // 2, "cpu", torch.float32),
        attention_mask=torch.cat([mask.bool(), torch.ones(batch, squares.shape[1], dtype=torch.bool)], dim=1),
    ).sample
    cell = pipeline.vae_scale_factor
    return ChromaPipeline._unpack_latents(velocity, height * cell, width * cell, cell)


@torch.no_grad()
def _listen(pipeline: ChromaPipeline) -> None:
    """A random network of this width hardly listens to a text; larger weights where it comes in make it, and in the
    autoencoder, what it makes of it is seen."""
    pipeline.transformer.context_embedder.weight.mul_(6)
    pipeline.transformer.proj_out.weight.mul_(1.5)
    pipeline.vae.decoder.conv_out.weight.mul_(2)


FIXED = "the library's reader knows layers of the published width only"
FAMILY = TinyFamily(
    tiny_chroma_pipeline,
    tiny_chroma_source,
    unread={"kohya": FIXED, "comfyui": FIXED, "single_file": FIXED},
    drawing={"max_sequence_length": T5_TOKENS},
    mending=with_boolean_masks,
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={  # times are those of a parabola
        "dreambooth": ["method.roles=[denoiser,text]", "prior=generated", "prior.count=5"],
        "lora": ["method.targets=[attention,text_stream,single_stream]", "dataset.caption_dropout=0.3"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.targets=[attention,text_stream,single_stream]"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=feed_forward", "method.rank=1", "dataset.caption_dropout=0.5"],
    ],
    guided={
        "by no text": Guided(5.0, "", {"guidance_scale": 5.0}),
        "by a negative prompt": Guided(3.0, "a cat", {"guidance_scale": 3.0, "negative_prompt": "a cat"}),
        "not at all": Guided(1.0, "", {"guidance_scale": 1.0}),
    },
    velocity=chroma_velocity,
    misfits={
        ("transformer", "joint_attention_dim"): "expects 99 text features of text_encoder, which gives 24",
        ("transformer", "in_channels"): "takes 99 channels, a token has 16",
    },
)
