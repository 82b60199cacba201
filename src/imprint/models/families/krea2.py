"""Krea 2 (Krea, 2026): a transformer over one stream of text and image tokens, trained as a flow.

A language model that also sees, Qwen 3 VL, reads the caption inside Qwen-Image's request; the denoiser is told what
several of its layers make of each token, and weighs them itself. Raw is what is trained; Turbo is distilled to draw in
few steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import torch
from annotated_types import Ge
from diffusers import AutoencoderKLQwenImage, Krea2Transformer2DModel
from torch import Tensor, nn
from transformers import Qwen2Tokenizer, Qwen3VLModel

from imprint.device_transfer import to_device
from imprint.kinds import of_kind
from imprint.models.checkpoint.base import Checkpoint
from imprint.models.checkpoint.layout import (
    AUTOENCODER,
    PIPELINE_CONFIG,
    Configs,
    Layout,
    NetworkFormat,
    Part,
    TokenizerPart,
)
from imprint.models.checkpoint.original_krea2 import KREA_2
from imprint.models.facts import ModelInfo
from imprint.models.families.added_guidance import AddedGuidance
from imprint.models.families.misfits import wrong_channels, wrong_text_widths
from imprint.models.families.packing import AXES, PATCH, packed, places, unpacked
from imprint.models.families.qwen_image import BEFORE_CAPTION, REQUEST
from imprint.models.latents import FRAMES
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.process import FLOW, Shift
from imprint.models.roles import DENOISER, TEXT
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

BEGIN, END = REQUEST.split("{}")
END_TOKENS = 5  # of the request, which follow a caption however long it is
TEXT_LAYERS = "text_encoder_select_layers"  # whose outputs the denoiser is told; 0 is what goes into the first
USUAL_LAYERS = [2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35]  # where a checkpoint names none
IS_DISTILLED = "is_distilled"
DISTILLED_SHIFT = Shift.of_strength(1.15)  # of a distilled checkpoint when it draws, whatever its scheduler says
TEXT_WIDTHS = (("text_encoder", "hidden_size", "text_hidden_dim"),)
LAYERS: Mapping[str, Sequence[str]] = {
    "attention": ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_gate", "attn.to_out.0"),
    "text_stream": ("text_fusion.projector", "txt_in.linear_1", "txt_in.linear_2"),
    "feed_forward": ("ff.gate", "ff.up", "ff.down"),
    "modulation": ("time_embed.linear_1", "time_embed.linear_2", "time_mod_proj"),
}


class Krea2(AddedGuidance):
    transformer: Krea2Transformer2DModel
    text_encoder: Qwen3VLModel
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: LAYERS}
    shared_inputs = frozenset({"position_ids"})
    architecture = "krea-2"

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        """Padding is between the caption and the end of the request; it is not read, and takes no place."""
        ids_BL, mask_BL = (
            torch.cat([own_BL, end_L.expand(len(texts), -1)], dim=1)
            for own_BL, end_L in zip(self.tokens(TEXT, texts), self._end, strict=True)
        )
        device = next(self.text_encoder.parameters()).device
        read = self.roles[TEXT](
            to_device(ids_BL, device),
            attention_mask=to_device(mask_BL, device),
            position_ids=to_device((mask_BL.cumsum(dim=1) - 1).clamp(min=0), device),
            output_hidden_states=True,
            use_cache=False,
        )
        # the layers after the last that is told condition nothing; their zero lets every weight have a gradient
        unused_B111 = read.last_hidden_state[:, :1, None, :1] * 0
        layers = torch.stack([read.hidden_states[layer] for layer in told_layers(self.checkpoint)], dim=2)
        # the mask stays where the denoiser can ask it for padding without waiting for the device
        return {
            "tokens": layers[:, BEFORE_CAPTION:] + unused_B111,
            "tokens_mask": mask_BL[:, BEFORE_CAPTION:].bool(),
        }

    def noise_levels(self, steps: int) -> Sequence[float] | None:
        return torch.linspace(1, 1 / steps, steps, dtype=torch.float64).tolist()

    def drawing_shift(self, latent_shape: Sequence[int], steps: int) -> Shift | None:
        return DISTILLED_SHIFT if self.checkpoint.setting(IS_DISTILLED) else self.process.shift

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype, device = dtype_of(denoiser), noisy_BCHW.device
        height, width = noisy_BCHW.shape[2:]
        tokens_BLTD, mask_BL = conditioning["tokens"], conditioning["tokens_mask"]
        text_places = torch.zeros(tokens_BLTD.shape[1], AXES, device=device)
        velocity_BND: Tensor = denoiser(
            packed(noisy_BCHW).to(dtype),
            encoder_hidden_states=tokens_BLTD.to(dtype),
            timestep=t_B,
            position_ids=torch.cat([text_places, places(height // PATCH, width // PATCH, device)]),
            encoder_attention_mask=None if mask_BL.all() else to_device(mask_BL, device),
            return_dict=False,
        )[0]
        return unpacked(velocity_BND.float(), height, width)

    @cached_property
    def _end(self) -> tuple[Tensor, Tensor]:
        """What follows every caption: (ids, mask)."""
        read = self.vocabularies["qwen3_vl"].tokenizer(END, return_tensors="pt")
        return read.input_ids[0], read.attention_mask[0]


def told_layers(checkpoint: Checkpoint) -> list[int]:
    return checkpoint.setting(TEXT_LAYERS) or USUAL_LAYERS


def _begun(tokenizer: Any, caption: str) -> str:
    return BEGIN + caption


def _misfits(configs: Configs) -> Iterator[str]:
    encoder = configs["text_encoder"]
    configs = {**configs, "text_encoder": {**encoder, **encoder.get("text_config", {})}}
    yield from wrong_channels(configs, patch=PATCH, key="z_dim")
    yield from wrong_text_widths(configs, TEXT_WIDTHS)


LAYOUT = Layout(
    title="Krea 2",
    pipeline="Krea2Pipeline",
    parts=(
        Part("transformer", DENOISER, Krea2Transformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderKLQwenImage),
        Part("text_encoder", TEXT, Qwen3VLModel, within="language_model"),
    ),
    tokenizers={"qwen3_vl": TokenizerPart("tokenizer", TEXT, Qwen2Tokenizer, wrapped=_begun, padded=False)},
    absent=(),
    settings={TEXT_LAYERS: USUAL_LAYERS, IS_DISTILLED: False},
    misfits=_misfits,
    kohya={},
    original_in_kohya=False,
    original=None,
    network=NetworkFormat(names=KREA_2, bases={"": "krea/Krea-2-Raw"}, parts={}),
    comfyui="original",
    multiple=16,
    predictions=FLOW,
    latents=FRAMES,
    patch=PATCH,
)
Krea2.layout = LAYOUT


@of_kind("model/krea2")
@dataclass(kw_only=True, eq=False)
class Krea2Source(PipelineSource):
    """Of Krea 2 Raw, Turbo, and what descends from them. `text_tokens` is how many tokens of a caption count, the end
    of the request among them."""

    model = Krea2

    text_tokens: Annotated[int, Ge(END_TOKENS + 1)]

    def facts(self) -> ModelInfo:
        facts, checkpoint = super().facts(), self._checkpoint
        told = checkpoint.config(self.layout.denoiser.config).get("num_text_layers")
        there = checkpoint.config(self.layout.part(TEXT).config).get("text_config", {}).get("num_hidden_layers")
        with checkpoint.using(PIPELINE_CONFIG):
            layers = told_layers(checkpoint)
            if len(layers) != told or max(layers) > there:
                raise checkpoint.refusal(
                    f"its denoiser reads {told} layers of a text encoder, which has {there}; {TEXT_LAYERS} are "
                    f"{layers}. The parts are of different models."
                )
        return facts

    def load(self) -> PipelineModel:
        model = super().load()
        model.limit_tokens(TEXT, BEFORE_CAPTION + self.text_tokens - END_TOKENS)
        return model
