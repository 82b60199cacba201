"""FLUX.2 dev (Black Forest Labs, 2025): the large model of FLUX.2, with Mistral Small as its text encoder.

It is distilled from guidance, whose strength it is told, and has no use for a negative prompt.
"""

from dataclasses import dataclass
from typing import Any

from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from diffusers.pipelines.flux2.system_messages import SYSTEM_MESSAGE
from pydantic import NonNegativeFloat
from transformers import AutoTokenizer, Mistral3ForConditionalGeneration

from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import AUTOENCODER, Layout, NetworkFormat, Part, TokenizerPart
from imprint.models.checkpoint.original_flux import FLUX_2
from imprint.models.families.chat import Chat
from imprint.models.families.flux2_transformer import TOLD_GUIDANCE, Flux2Model, Flux2TransformerSource, misfits
from imprint.models.latents import NORMALISED_PATCHES
from imprint.models.pipeline import PipelineModel
from imprint.models.process import FLOW
from imprint.models.roles import DENOISER, TEXT

CHAT = Chat(begins_answer=False, system=SYSTEM_MESSAGE, pieces=True)
PICTURE = "[IMG]"  # stands for a part of a picture in its chats, of which there is none here


class Flux2(Flux2Model):
    @property
    def architecture(self) -> str:
        return "flux-2-dev"


def _said(tokenizer: Any, caption: str) -> str:
    return CHAT(tokenizer, caption.replace(PICTURE, ""))


LAYOUT = Layout(
    title="FLUX.2 dev",
    pipeline="Flux2Pipeline",
    parts=(
        Part("transformer", DENOISER, Flux2Transformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderKLFlux2),
        Part("text_encoder", TEXT, Mistral3ForConditionalGeneration, within="model.language_model"),
    ),
    tokenizers={
        "mistral3": TokenizerPart(
            "tokenizer", TEXT, AutoTokenizer, wrapped=_said, special=False, processor="PixtralProcessor"
        )
    },
    absent=(),
    settings={},
    misfits=misfits,
    kohya={DENOISER: "lora_unet"},
    original_in_kohya=True,
    original=None,
    network=NetworkFormat(names=FLUX_2, bases={"": "black-forest-labs/FLUX.2-dev"}, parts={}),
    comfyui="original",
    multiple=16,
    predictions=FLOW,
    optional=(TOLD_GUIDANCE,),
    latents=NORMALISED_PATCHES,
)
Flux2.layout = LAYOUT


@of_kind("model/flux2")
@dataclass(kw_only=True, eq=False)
class Flux2Source(Flux2TransformerSource):
    """Of FLUX.2 dev and what descends from it.

    `training_guidance` is the strength of guidance that the denoiser is told while it trains.
    """

    model = Flux2

    training_guidance: NonNegativeFloat

    def _with_settings(self, model: PipelineModel) -> PipelineModel:
        assert isinstance(model, Flux2)
        model.training_guidance = self.training_guidance
        return super()._with_settings(model)
