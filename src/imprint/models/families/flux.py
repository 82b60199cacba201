"""FLUX.1 (Black Forest Labs, 2024): a transformer over image and text tokens, trained as a flow.

CLIP's summary of the caption is added to the embedding of the time; T5's tokens, padding among them, are read beside
the picture's. FLUX.1 dev is distilled from guidance, whose strength it is told; schnell draws in few steps without any.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5TokenizerFast

from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import AUTOENCODER, Configs, Layout, NetworkFormat, Part, TokenizerPart
from imprint.models.checkpoint.original_flux import FLUX_1
from imprint.models.families.misfits import wrong_channels, wrong_text_widths
from imprint.models.families.packing import AXES, PATCH, packed, places, unpacked
from imprint.models.families.told_guidance import ToldGuidance
from imprint.models.families.unet import CLIP_LAYERS, CLIP_PREFIX
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.process import FLOW
from imprint.models.roles import DENOISER, TEXT
from imprint.models.schedulers import even_levels
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

TEXT_2 = "text_2"
TEXT_WIDTHS = (  # of a text encoder, by what its configuration calls it and by what the denoiser's does
    ("text_encoder", "hidden_size", "pooled_projection_dim"),
    ("text_encoder_2", "d_model", "joint_attention_dim"),
)
LAYERS: Mapping[str, Sequence[str]] = {
    "attention": ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"),
    "text_stream": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"),
    "feed_forward": ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"),
    "single_stream": ("proj_mlp", "proj_out"),  # of the blocks in which text and picture share their weights
    "modulation": ("norm.linear", "norm1.linear", "norm1_context.linear"),
}


class Flux(ToldGuidance):
    transformer: FluxTransformer2DModel
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: LAYERS, TEXT: CLIP_LAYERS}
    shared_inputs = frozenset({"img_ids", "txt_ids"})

    @property
    def architecture(self) -> str:
        return "flux-1-dev" if self.is_told_guidance else "flux-1-schnell"

    @property
    def adapter_facts(self) -> Mapping[str, str]:
        return {"ss_base_model_version": "flux1"}

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        summary = self.encoded(TEXT, texts).pooler_output
        return {"tokens": self.encoded(TEXT_2, texts).last_hidden_state, "summary": summary}

    def noise_levels(self, steps: int) -> Sequence[float] | None:
        return even_levels(steps)

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype, device = dtype_of(denoiser), noisy_BCHW.device
        height, width = noisy_BCHW.shape[2:]
        tokens_BLD = conditioning["tokens"].to(dtype)
        velocity_BND: Tensor = denoiser(
            packed(noisy_BCHW).to(dtype),
            encoder_hidden_states=tokens_BLD,
            pooled_projections=conditioning["summary"].to(dtype),
            timestep=t_B,
            img_ids=places(height // PATCH, width // PATCH, device),
            txt_ids=torch.zeros(tokens_BLD.shape[1], AXES, device=device),
            guidance=self.told(conditioning, noisy_BCHW),
            return_dict=False,
        )[0]
        return unpacked(velocity_BND.float(), height, width)


def _misfits(configs: Configs) -> Iterator[str]:
    yield from wrong_channels(configs, patch=PATCH)
    yield from wrong_text_widths(configs, TEXT_WIDTHS)


LAYOUT = Layout(
    title="FLUX.1",
    pipeline="FluxPipeline",
    parts=(
        Part("transformer", DENOISER, FluxTransformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderKL),
        Part("text_encoder", TEXT, CLIPTextModel, CLIP_PREFIX),
        Part("text_encoder_2", TEXT_2, T5EncoderModel),
    ),
    tokenizers={
        "clip_l": TokenizerPart("tokenizer", TEXT, CLIPTokenizer),
        "t5": TokenizerPart("tokenizer_2", TEXT_2, T5TokenizerFast),
    },
    absent=("feature_extractor", "image_encoder"),
    settings={},
    misfits=_misfits,
    kohya={DENOISER: "lora_unet", TEXT: "lora_te1", TEXT_2: "lora_te3"},
    original_in_kohya=True,
    original=None,
    network=NetworkFormat(
        names=FLUX_1,
        bases={
            "guidance_in.in_layer.weight": "black-forest-labs/FLUX.1-dev",
            "": "black-forest-labs/FLUX.1-schnell",
        },
        parts={
            "vae": "vae.",
            "text_encoder": "text_encoders.clip_l.transformer.",
            "text_encoder_2": "text_encoders.t5xxl.transformer.",
        },
    ),
    comfyui="kohya",
    multiple=16,
    predictions=FLOW,
    optional=("time_text_embed.guidance_embedder.",),
    patch=PATCH,
)
Flux.layout = LAYOUT


@of_kind("model/flux")
@dataclass(kw_only=True, eq=False)
class FluxSource(PipelineSource):
    """Of FLUX.1 dev, schnell, and what descends from them.

    `training_guidance` is the strength of guidance that a denoiser which is told one is told while it trains.
    `text_tokens` is how many tokens of a caption T5 reads.
    """

    model = Flux

    training_guidance: NonNegativeFloat
    text_tokens: PositiveInt

    def load(self) -> PipelineModel:
        model = super().load()
        assert isinstance(model, Flux)
        model.training_guidance = self.training_guidance
        model.limit_tokens(TEXT_2, self.text_tokens)
        return model
