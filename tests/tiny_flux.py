"""Tiny FLUX.1 models with random weights, in the published form and topology: CLIP for a summary, T5 for tokens, blocks
of two streams and of one, and a schedule that shifts by resolution."""

import string
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from tiny import RARE_WORDS, RESOLUTION, TOKENS, WORDS, tiny_tokenizer, use_published_forms
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel, T5TokenizerFast

from imprint.models.flux import FluxSource
from imprint.types import Sampler

WIDTHS = {"clip_l": 16, "t5": 24}
T5_TOKENS = 32


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
            vae=_autoencoder(),
            text_encoder=CLIPTextModel(_clip(tokenizer)),
            text_encoder_2=T5EncoderModel(_t5(tokenizer_2)).eval(),
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
    usual = {
        "revision": None,
        "variant": None,
        "config": None,
        "prediction": "auto",
        "resolution": RESOLUTION,
        "allow_pickle": False,
        "sampler": Sampler("model", 4, 3.5, ""),
        "encoders": {},
        "times": None,
        "training_guidance": 1.0,
        "text_tokens": T5_TOKENS,
    }
    return FluxSource(source=str(path), **{**usual, **settings})


def tiny_t5_tokenizer() -> T5TokenizerFast:
    """WORDS and RARE_WORDS are single tokens; everything else falls into letters."""
    letters = string.ascii_letters + string.digits + string.punctuation
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces = [
        *special,
        *((letter, -4.0) for letter in letters),
        *((f"▁{word}", -1.0) for word in (*WORDS, *RARE_WORDS)),
    ]
    return T5TokenizerFast(vocab=pieces, extra_ids=4, model_max_length=T5_TOKENS)


@torch.no_grad()
def _listen(transformer: FluxTransformer2DModel) -> None:
    """A random network of this width hardly listens to a text; larger weights where it comes in make it."""
    summary = transformer.time_text_embed.text_embedder
    for layer in (transformer.context_embedder, transformer.proj_out, summary.linear_1, summary.linear_2):
        layer.weight.mul_(6)


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=RESOLUTION,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def _clip(tokenizer: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTHS["clip_l"],
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        hidden_act="quick_gelu",
        projection_dim=16,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _t5(tokenizer: Any) -> T5Config:
    return T5Config(
        vocab_size=len(tokenizer) + 20,  # as published: more rows than tokens
        d_model=WIDTHS["t5"],
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
    )
