"""Tiny FLUX.1 models with random weights, in the published form and topology: CLIP for a summary, T5 for tokens, blocks
of two streams and of one, and a schedule that shifts by resolution."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from tiny import tiny_tokenizer, use_published_forms
from tiny_family import Guided, TinyFamily
from tiny_parts import SETTINGS, T5_TOKENS, tiny_autoencoder, tiny_clip, tiny_t5, tiny_t5_tokenizer
from torch import Tensor
from transformers import CLIPTextModel, T5EncoderModel

from imprint.models.families.flux import FluxSource
from imprint.types import Sampler

WIDTHS = {"clip_l": 16, "t5": 24}


def tiny_flux_pipeline(folder: Path, *, guidance: bool = True, seed: int = 0) -> Path:
    """Writes a pipeline folder and returns it. `guidance`: the denoiser is told it, as of dev, not of schnell."""
    tokenizer, tokenizer_2 = tiny_tokenizer(), tiny_t5_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = FluxPipeline(
            transformer=FluxTransformer2DModel(
                patch_size=1,
                in_channels=4 * 4,
                num_layers=1,
                num_single_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=WIDTHS["t5"],
                pooled_projection_dim=WIDTHS["clip_l"],
                guidance_embeds=guidance,
                axes_dims_rope=(4, 6, 6),
            ),
            vae=tiny_autoencoder(),
            text_encoder=CLIPTextModel(tiny_clip(tokenizer, width=WIDTHS["clip_l"])),
            text_encoder_2=T5EncoderModel(tiny_t5(tokenizer_2, width=WIDTHS["t5"])).eval(),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer_2,
            scheduler=FlowMatchEulerDiscreteScheduler(
                shift=3.0,
                use_dynamic_shifting=True,
                base_shift=0.5,
                max_shift=1.15,
                base_image_seq_len=256,
                max_image_seq_len=4096,
            ),
        )
        _listen(pipeline.transformer)
    pipeline.save_pretrained(folder)
    use_published_forms(folder)
    return folder


def tiny_flux_source(path: Path | str, **settings: Any) -> FluxSource:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 3.5, ""), "training_guidance": 1.0, "text_tokens": T5_TOKENS}
    return FluxSource(source=str(path), **{**SETTINGS, **own, **settings})


def flux_velocity(pipeline: FluxPipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]) -> Tensor:
    """What the library's own parts predict while it trains, told a guidance of 1."""
    tokens, summary, text_ids = pipeline.encode_prompt(
        list(captions), None, max_sequence_length=T5_TOKENS, device="cpu"
    )
    batch, channels, height, width = noisy_BCHW.shape
    velocity = pipeline.transformer(
        hidden_states=FluxPipeline._pack_latents(noisy_BCHW, batch, channels, height, width),
        timestep=s_B,
        guidance=torch.ones(batch),
        pooled_projections=summary,
        encoder_hidden_states=tokens,
        txt_ids=text_ids,
        img_ids=FluxPipeline._prepare_latent_image_ids(1, height // 2, width // 2, "cpu", torch.float32),
    ).sample
    cell = pipeline.vae_scale_factor
    return FluxPipeline._unpack_latents(velocity, height * cell, width * cell, cell)


@torch.no_grad()
def _listen(transformer: FluxTransformer2DModel) -> None:
    """A random network of this width hardly listens to a text; larger weights where it comes in make it."""
    summary = transformer.time_text_embed.text_embedder
    for layer in (transformer.context_embedder, transformer.proj_out, summary.linear_1, summary.linear_2):
        layer.weight.mul_(6)


FIXED = "the library's reader knows layers of the published width only"
FAMILY = TinyFamily(
    tiny_flux_pipeline,
    tiny_flux_source,
    drawing={"max_sequence_length": T5_TOKENS},
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={  # times are logit-normal and shifted by resolution
        "dreambooth": ["method.roles=[denoiser,text,text_2]", "prior=generated", "prior.count=5"],
        "lora": ["method.roles=[denoiser,text]", "prior=base_prediction", "objective=min_snr"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.roles=[denoiser,text]", "method.targets=[attention,text_stream,single_stream]"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=[feed_forward,modulation]", "method.rank=1", "dataset.caption_dropout=0.5"],
    ],
    guided={
        "told": Guided(3.5, "", {"guidance_scale": 3.5}),
        "schnell": Guided(1.0, "", {}, {"guidance": False}),
        "by a negative prompt": Guided(
            3.0, "a cat", {"true_cfg_scale": 3.0, "negative_prompt": "a cat"}, {"guidance": False}
        ),
    },
    velocity=flux_velocity,
    misfits={
        ("transformer", "joint_attention_dim"): "expects 99 text features of text_encoder_2, which gives 24",
        ("transformer", "pooled_projection_dim"): "expects 99 text features of text_encoder, which gives 16",
        ("transformer", "in_channels"): "takes 99 channels, a token has 16",
    },
    unread={"kohya": FIXED, "comfyui": FIXED, "single_file": FIXED},
)
