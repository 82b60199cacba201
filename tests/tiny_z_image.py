"""Tiny Z-Image models with random weights, in the published form and topology: a language model that reads a caption in
its chat, blocks that refine text and picture apart, blocks of one stream, and a schedule with a fixed shift."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from tiny import use_published_forms
from tiny_family import Guided, TinyFamily
from tiny_parts import SETTINGS, tiny_autoencoder, tiny_qwen3, tiny_qwen_tokenizer
from torch import Tensor
from transformers import Qwen3Model

from imprint.models.families.z_image import ZImageSource
from imprint.types import Sampler

WIDTH = 32
TEXT_TOKENS = 64
LONG = "a small red {identifier} {noun} and a cat and a dog with a toy and a vase on the beach"  # above 32 tokens


def tiny_z_image_pipeline(folder: Path, *, shift: float = 6.0, seed: int = 0) -> Path:
    """Writes a pipeline folder and returns it. `shift`: 6 of the base model, 3 of Turbo."""
    tokenizer = tiny_qwen_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = ZImagePipeline(
            transformer=ZImageTransformer2DModel(
                in_channels=4,
                dim=32,
                n_layers=2,
                n_refiner_layers=1,
                n_heads=2,
                n_kv_heads=2,
                cap_feat_dim=WIDTH,
                axes_dims=[8, 4, 4],
                axes_lens=[1024, 32, 32],
            ),
            vae=tiny_autoencoder(),
            text_encoder=Qwen3Model(tiny_qwen3(tokenizer, width=WIDTH)).eval(),
            tokenizer=tokenizer,
            scheduler=FlowMatchEulerDiscreteScheduler(shift=shift),
        )
        _listen(pipeline.transformer)
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_z_image_source(path: Path | str, **settings: Any) -> ZImageSource:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 5.0, ""), "text_tokens": TEXT_TOKENS}
    return ZImageSource(source=str(path), **{**SETTINGS, **own, **settings})


def z_image_velocity(pipeline: ZImagePipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]) -> Tensor:
    """What the library's own parts predict."""
    tokens, _ = pipeline.encode_prompt(
        list(captions), "cpu", do_classifier_free_guidance=False, max_sequence_length=TEXT_TOKENS
    )
    pictures = list(noisy_BCHW.unsqueeze(2).unbind(0))
    return -torch.stack(pipeline.transformer(pictures, 1 - s_B, tokens).sample).squeeze(2)


@torch.no_grad()
def _listen(transformer: ZImageTransformer2DModel) -> None:
    """A random network of this width hardly listens to a text; larger weights where it comes in make it. The tokens
    that fill sequences up begin as zeros, which the published ones are not."""
    for token in (transformer.x_pad_token, transformer.cap_pad_token):
        token.normal_(std=0.02)
    transformer.cap_embedder[1].weight.mul_(6)
    transformer.all_final_layer["2-1"].linear.weight.mul_(6)


FAMILY = TinyFamily(
    tiny_z_image_pipeline,
    tiny_z_image_source,
    drawing={"max_sequence_length": TEXT_TOKENS},
    reads_lokr=True,
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={
        "dreambooth": ["method.roles=[denoiser,text]", "prior=generated", "prior.count=5"],
        "lora": ["method.targets=[attention,feed_forward]", "prior=base_prediction", "dataset.caption_dropout=0.5"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.targets=[attention,modulation]", f"method.templates=['{LONG}']"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=feed_forward", "method.rank=1", "dataset.caption_dropout=0.5"],
    ],
    guided={
        "by a negative prompt": Guided(5.0, "a cat", {"guidance_scale": 5.0, "negative_prompt": "a cat"}),
        "a little": Guided(0.5, "", {"guidance_scale": 0.5}),
        "Turbo": Guided(0.0, "", {"guidance_scale": 0.0}, {"shift": 3.0}),
    },
    velocity=z_image_velocity,
    misfits={
        ("transformer", "cap_feat_dim"): "expects 99 text features of text_encoder, which gives 32",
        ("transformer", "in_channels"): "takes 99 channels, a latent has 4",
    },
)
