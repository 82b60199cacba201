"""Tiny FLUX.2 klein models with random weights, in the published form and topology: Qwen 3 with a chat template, of
whose layers the last is not read; blocks of two streams and of one; an autoencoder with normalised latents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import Flux2KleinPipeline
from tiny import use_published_forms
from tiny_family import Guided, TinyFamily
from tiny_flux2_parts import TEXT_LAYERS, WIDTH, flux2_velocity, tiny_flux2_parts
from tiny_parts import SETTINGS, tiny_qwen3, tiny_qwen_tokenizer
from torch import Tensor
from transformers import Qwen3ForCausalLM

from imprint.models.families.flux2_klein import Flux2KleinSource
from imprint.types import Sampler

TOKENS = 64  # of a caption in its chat


def tiny_flux2_klein_pipeline(folder: Path, *, distilled: bool = False, tied: bool = True, seed: int = 0) -> Path:
    """Writes a pipeline folder and returns it. `tied`: the text encoder's words are weights of its head, too, as in the
    small model, not in the large one."""
    tokenizer = tiny_qwen_tokenizer()
    tokenizer.model_max_length = TOKENS
    config = tiny_qwen3(tokenizer, width=WIDTH, layers=len(TEXT_LAYERS) + 1)
    config.tie_word_embeddings = tied
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = Flux2KleinPipeline(
            **tiny_flux2_parts(guidance=False),
            text_encoder=Qwen3ForCausalLM(config).eval(),
            tokenizer=tokenizer,
            is_distilled=distilled,
        )
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_flux2_klein_source(path: Path | str, **settings: Any) -> Flux2KleinSource:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 4.0, ""), "text_layers": list(TEXT_LAYERS), "text_tokens": TOKENS}
    return Flux2KleinSource(source=str(path), **{**SETTINGS, **own, **settings})


DRAWING = {"max_sequence_length": TOKENS, "text_encoder_out_layers": TEXT_LAYERS}


def velocity(pipeline: Flux2KleinPipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]) -> Tensor:
    return flux2_velocity(pipeline, noisy_BCHW, s_B, captions, guidance=None, **DRAWING)


FAMILY = TinyFamily(
    tiny_flux2_klein_pipeline,
    tiny_flux2_klein_source,
    unread={"kohya": "the library leaves modulation out, with a warning alone"},
    drawing=DRAWING,
    settings=[f"model.text_layers={list(TEXT_LAYERS)}"],
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={  # times are logit-normal and shifted by resolution
        "dreambooth": ["method.roles=[denoiser,text]", "prior=generated", "prior.count=5"],
        "lora": ["method.targets=[attention,single_stream]", "prior=base_prediction", "objective=min_snr"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.targets=[attention,text_stream,single_stream]"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=[feed_forward,modulation]", "method.rank=1", "dataset.caption_dropout=0.5"],
    ],
    guided={
        "guided": Guided(4.0, "", {"guidance_scale": 4.0}),
        "unguided": Guided(1.0, "", {"guidance_scale": 1.0}),
        "distilled": Guided(4.0, "", {"guidance_scale": 4.0}, {"distilled": True}),
        "head of its own": Guided(2.0, "", {"guidance_scale": 2.0}, {"tied": False}),
    },
    velocity=velocity,
    misfits={
        ("transformer", "joint_attention_dim"): "expects 99 text features, layers of text_encoder give 16 each",
        ("transformer", "in_channels"): "takes 99 channels, a token has 16",
    },
)
