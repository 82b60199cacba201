"""FLUX.2 klein (Black Forest Labs, 2026): the small models of FLUX.2, with Qwen 3 as their text encoder.

The base models are guided by a second prediction; the distilled ones draw in four steps without guidance.
"""

from dataclasses import dataclass

from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from transformers import Qwen2Tokenizer, Qwen3ForCausalLM

from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import AUTOENCODER, Layout, NetworkFormat, Part, TokenizerPart
from imprint.models.checkpoint.original_flux import FLUX_2
from imprint.models.families.chat import Chat
from imprint.models.families.flux2_transformer import TOLD_GUIDANCE, Flux2Model, Flux2TransformerSource, misfits
from imprint.models.latents import NORMALISED_PATCHES
from imprint.models.process import FLOW
from imprint.models.roles import DENOISER, TEXT

IS_DISTILLED = "is_distilled"  # such a checkpoint is never guided


class Flux2Klein(Flux2Model):
    @property
    def architecture(self) -> str:
        return "flux-2-klein"

    def draws_twice(self, guidance: float) -> bool:
        return super().draws_twice(guidance) and not self.checkpoint.setting(IS_DISTILLED)


LAYOUT = Layout(
    title="FLUX.2 klein",
    pipeline="Flux2KleinPipeline",
    parts=(
        Part("transformer", DENOISER, Flux2Transformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderKLFlux2),
        Part("text_encoder", TEXT, Qwen3ForCausalLM, within="model"),
    ),
    tokenizers={
        "qwen3": TokenizerPart(
            "tokenizer",
            TEXT,
            Qwen2Tokenizer,
            wrapped=Chat(begins_answer=True, settings={"enable_thinking": False}),
        )
    },
    absent=(),
    settings={IS_DISTILLED: False},
    misfits=misfits,
    kohya={DENOISER: "lora_unet"},
    original_in_kohya=True,
    original=None,
    network=NetworkFormat(names=FLUX_2, bases={"": "black-forest-labs/FLUX.2-klein-base-4B"}, parts={}),
    comfyui="original",
    multiple=16,
    predictions=FLOW,
    optional=(TOLD_GUIDANCE,),
    latents=NORMALISED_PATCHES,
)
Flux2Klein.layout = LAYOUT


@of_kind("model/flux2_klein")
@dataclass(kw_only=True, eq=False)
class Flux2KleinSource(Flux2TransformerSource):
    """Of FLUX.2 klein's base models, of the distilled ones, and of what descends from them."""

    model = Flux2Klein
