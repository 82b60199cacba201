"""Stable Diffusion 3 and 3.5 (arXiv 2403.03206): a transformer over squares of latents and a caption's tokens, which
two CLIP encoders and T5 read. Both CLIPs' summaries of it go where the time does. A checkpoint may lack T5: in place of
what it reads, the denoiser is then given as many tokens of zeros, as by diffusers' pipeline.

The layers that diffusers' pipeline can skip while it guides, as is recommended for 3.5 medium, are not skipped here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, T5EncoderModel, T5TokenizerFast

from imprint.errors import Problem, UserError
from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import AUTOENCODER, Configs, Layout, NetworkFormat, Part, TokenizerPart
from imprint.models.checkpoint.original_sd3 import SD_3
from imprint.models.facts import ModelInfo
from imprint.models.families.misfits import TRANSFORMER, wrong_channels, wrong_text_widths
from imprint.models.families.unet import CLIP_LAYERS, CLIP_PREFIX
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.process import FLOW
from imprint.models.roles import DENOISER, TEXT
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

TEXT_2 = "text_2"
TEXT_3 = "text_3"
CLIPS = ("text_encoder", "text_encoder_2")
TEXT_WIDTHS = (("text_encoder_3", "d_model", "joint_attention_dim"),)
PATCH = 2  # latent pixels on a side of an image token, in all published ones
LAYERS: Mapping[str, Sequence[str]] = {
    # attn2 is the picture's attention to itself alone, which 3.5 medium has besides
    "attention": tuple(f"{own}.{name}" for own in ("attn", "attn2") for name in ("to_q", "to_k", "to_v", "to_out.0")),
    "text_stream": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"),
    "feed_forward": ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"),
    "modulation": ("norm1.linear", "norm1_context.linear"),
}


class StableDiffusion3(PipelineModel):
    transformer: SD3Transformer2DModel
    text_tokens: int  # that T5 reads
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {
        DENOISER: LAYERS,
        TEXT: CLIP_LAYERS,
        TEXT_2: CLIP_LAYERS,
    }

    @property
    def architecture(self) -> str:
        config = self.transformer.config
        if config.dual_attention_layers:
            return "stable-diffusion-3-5-medium"
        return "stable-diffusion-3-5-large" if config.qk_norm else "stable-diffusion-3-medium"

    @property
    def largest_side(self) -> int:
        return _largest_side(self.layout, self.transformer.config, self._autoencoder.config)

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        first, second = (self.encoded(role, texts, output_hidden_states=True) for role in (TEXT, TEXT_2))
        clip_BLD = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        if TEXT_3 in self.roles:
            read_BLD = self.encoded(TEXT_3, texts).last_hidden_state
        else:
            read_BLD = clip_BLD.new_zeros(len(texts), self.text_tokens, self.transformer.config.joint_attention_dim)
        clip_BLD = functional.pad(clip_BLD, (0, read_BLD.shape[-1] - clip_BLD.shape[-1]))
        return {
            "tokens": torch.cat([clip_BLD, read_BLD], dim=1),
            "summary": torch.cat([first.text_embeds, second.text_embeds], dim=-1),
        }

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype = dtype_of(denoiser)
        velocity_BCHW: Tensor = denoiser(
            noisy_BCHW.to(dtype),
            encoder_hidden_states=conditioning["tokens"].to(dtype),
            pooled_projections=conditioning["summary"].to(dtype),
            timestep=self.process.timestep_of(t_B),
            return_dict=False,
        )[0]
        return velocity_BCHW.float()


def _largest_side(layout: Layout, denoiser: Mapping[str, int], autoencoder: Mapping[str, int]) -> int:
    """By the denoiser's table of places for tokens."""
    return denoiser["pos_embed_max_size"] * denoiser.get("patch_size", PATCH) * layout.latents.cell(autoencoder)


def _misfits(configs: Configs) -> Iterator[str]:
    yield from wrong_channels(configs, patch=1)
    yield from wrong_text_widths(configs, [own for own in TEXT_WIDTHS if own[0] in configs])
    denoiser, clips = configs[TRANSFORMER], [configs[name] for name in CLIPS]
    width, summary = (sum(clip.get(key, 0) for clip in clips) for key in ("hidden_size", "projection_dim"))
    if (expected := denoiser.get("pooled_projection_dim")) != summary:
        yield (
            f"its denoiser expects a summary of {expected} features of {' and '.join(CLIPS)}, which give {summary}. "
            "The parts are of different models."
        )
    if (most := denoiser.get("joint_attention_dim", width)) < width:
        yield f"its denoiser takes {most} text features, {' and '.join(CLIPS)} give {width} together."


LAYOUT = Layout(
    title="Stable Diffusion 3",
    pipeline="StableDiffusion3Pipeline",
    parts=(
        Part("transformer", DENOISER, SD3Transformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderKL),
        Part("text_encoder", TEXT, CLIPTextModelWithProjection, CLIP_PREFIX),
        Part("text_encoder_2", TEXT_2, CLIPTextModelWithProjection, CLIP_PREFIX),
        Part("text_encoder_3", TEXT_3, T5EncoderModel),
    ),
    tokenizers={
        "clip_l": TokenizerPart("tokenizer", TEXT, CLIPTokenizer),
        "clip_g": TokenizerPart("tokenizer_2", TEXT_2, CLIPTokenizer),
        "t5": TokenizerPart("tokenizer_3", TEXT_3, T5TokenizerFast),
    },
    absent=("feature_extractor", "image_encoder"),
    settings={},
    misfits=_misfits,
    kohya={DENOISER: "lora_unet", TEXT: "lora_te1", TEXT_2: "lora_te2", TEXT_3: "lora_te3"},
    original_in_kohya=True,
    original=None,
    network=NetworkFormat(
        names=SD_3,
        bases={
            "joint_blocks.0.x_block.attn2.ln_q.weight": "stabilityai/stable-diffusion-3.5-medium",
            "joint_blocks.37.x_block.attn.qkv.weight": "stabilityai/stable-diffusion-3.5-large",
            "": "stabilityai/stable-diffusion-3-medium-diffusers",
        },
        parts={
            "vae": "first_stage_model.",
            "text_encoder": "text_encoders.clip_l.transformer.",
            "text_encoder_2": "text_encoders.clip_g.transformer.",
            "text_encoder_3": "text_encoders.t5xxl.transformer.",
        },
    ),
    multiple=16,
    predictions=FLOW,
    patch=PATCH,
    dispensable=("text_encoder_3",),
)
StableDiffusion3.layout = LAYOUT


@of_kind("model/sd3")
@dataclass(kw_only=True, eq=False)
class StableDiffusion3Source(PipelineSource):
    """Of Stable Diffusion 3 and 3.5, and what descends from them.

    `text_tokens` is how many tokens of a caption T5 reads, or how many of zeros are in their place; CLIP reads 77.
    """

    model = StableDiffusion3

    text_tokens: PositiveInt

    def facts(self) -> ModelInfo:
        facts = super().facts()
        parts = (self.layout.denoiser, self.layout.part(AUTOENCODER))
        largest = _largest_side(self.layout, *(self._checkpoint.config(part.config) for part in parts))
        if self.resolution > largest:
            raise UserError(str(Problem("model.resolution", self.resolution, f"this model goes up to {largest}.")))
        return facts

    def load(self) -> PipelineModel:
        model = super().load()
        assert isinstance(model, StableDiffusion3)
        model.text_tokens = self.text_tokens
        if TEXT_3 in model.roles:
            model.limit_tokens(TEXT_3, self.text_tokens)
        return model
