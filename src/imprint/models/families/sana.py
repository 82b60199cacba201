"""Sana (NVIDIA, 2024): a transformer of linear attention over small latents, trained as a flow.

A language model, Gemma 2, reads the caption behind an instruction to enhance it; its states of the caption go to
cross-attention, and those of the instruction, which made them, do not. Negative prompts come without an instruction.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel
from pydantic import PositiveInt
from torch import Tensor, nn
from transformers import Gemma2Model, GemmaTokenizerFast

from imprint.device_transfer import to_device
from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import AUTOENCODER, Configs, Layout, Part, TokenizerPart
from imprint.models.families.misfits import wrong_channels, wrong_text_widths
from imprint.models.latents import CERTAIN
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.process import FLOW
from imprint.models.roles import DENOISER, TEXT
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

# As its makers published it, and what the library's pipeline says by default.
INSTRUCTION = (
    "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image "
    "generation. Evaluate the level of detail in the user prompt:\n"
    "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial "
    "relationships to create vivid and concrete scenes.\n"
    "- If the prompt is already detailed, refine and enhance the existing details slightly without "
    "overcomplicating.\n"
    "Here are examples of how to transform or refine prompts:\n"
    "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping "
    "peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.\n"
    "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street "
    "lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass "
    "skyscrapers.\n"
    "Please generate only the enhanced description for the prompt below and avoid including any additional "
    "commentary or evaluations:\n"
    "User Prompt: "
)
TEXT_WIDTHS = (("text_encoder", "hidden_size", "caption_channels"),)
LAYERS: Mapping[str, Sequence[str]] = {
    "attention": ("to_q", "to_k", "to_v", "to_out.0"),
    "cross_attention": ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"),
    "feed_forward": ("ff.conv_inverted", "ff.conv_point"),
    "modulation": ("time_embed.linear",),
}


class Sana(PipelineModel):
    transformer: SanaTransformer2DModel
    text_encoder: Gemma2Model
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: LAYERS}
    architecture = "sana"
    text_tokens: int  # that count, of a caption and what begins every text

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        return self._encoded(texts, [empty_is_unconditional and not text.strip() for text in texts])

    def encode_negative(self, texts: Sequence[str]) -> Conditioning:
        return self._encoded(texts, [True] * len(texts))

    def limit_captions(self, count: int) -> None:
        self.text_tokens = count
        self.limit_tokens(TEXT, self._instruction + count)

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype = dtype_of(denoiser)
        velocity_BCHW: Tensor = denoiser(
            noisy_BCHW.to(dtype),
            encoder_hidden_states=conditioning["tokens"].to(dtype),
            encoder_attention_mask=to_device(conditioning["tokens_mask"], noisy_BCHW.device),
            timestep=self.process.timestep_of(t_B) * self.transformer.config.timestep_scale,
            return_dict=False,
        )[0]
        return velocity_BCHW.float()

    @property
    def _instruction(self) -> int:
        """How many tokens between the first of a text and the caption's the denoiser is not told. The last one of the
        instruction, a space, is the caption's."""
        return len(self.vocabularies["gemma2"].tokenizer(INSTRUCTION).input_ids) - 2

    def _encoded(self, texts: Sequence[str], bare: Sequence[bool]) -> Conditioning:
        ids_BL, mask_BL = self.tokens(TEXT, texts, bare=bare)
        device = next(self.text_encoder.parameters()).device
        read = self.roles[TEXT](to_device(ids_BL, device), attention_mask=to_device(mask_BL, device), use_cache=False)
        places_L = torch.arange(ids_BL.shape[1])
        before_B1 = torch.tensor([0 if own else self._instruction for own in bare])[:, None]
        own_BL = (places_L > before_B1) & (places_L < before_B1 + self.text_tokens)
        told_BL = mask_BL.bool() & (own_BL | (places_L == 0))
        some = told_BL.any(dim=0).nonzero()[:, 0]
        return {"tokens": read.last_hidden_state[:, to_device(some, device)], "tokens_mask": told_BL[:, some]}


def _instructed(tokenizer: Any, caption: str) -> str:
    return INSTRUCTION + caption


def _misfits(configs: Configs) -> Iterator[str]:
    yield from wrong_channels(configs, patch=1)
    yield from wrong_text_widths(configs, TEXT_WIDTHS)
    if configs["transformer"].get("guidance_embeds"):
        yield "its denoiser is told a guidance, as of models distilled to a few steps (Sana Sprint)."


LAYOUT = Layout(
    title="Sana",
    pipeline="SanaPipeline",
    parts=(
        Part("transformer", DENOISER, SanaTransformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderDC),
        Part("text_encoder", TEXT, Gemma2Model),
    ),
    tokenizers={"gemma2": TokenizerPart("tokenizer", TEXT, GemmaTokenizerFast, wrapped=_instructed, padded=False)},
    absent=(),
    settings={},
    misfits=_misfits,
    kohya={},
    original_in_kohya=False,
    original=None,
    multiple=32,
    predictions=FLOW,
    latents=CERTAIN,
    lower_case=True,
)
Sana.layout = LAYOUT


@of_kind("model/sana")
@dataclass(kw_only=True, eq=False)
class SanaSource(PipelineSource):
    """Of Sana and Sana 1.5.

    `text_tokens` is how many tokens count, of a caption and what begins every text.
    """

    model = Sana

    text_tokens: PositiveInt

    def load(self) -> PipelineModel:
        model = super().load()
        assert isinstance(model, Sana)
        model.limit_captions(self.text_tokens)
        return model
