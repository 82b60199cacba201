"""Stable Diffusion XL (arXiv 2307.01952): two text encoders, and a denoiser conditioned on sizes and crops."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

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
from imprint.types import Conditioning, Geometry

TEXT_2 = "text_2"
ZEROS_FOR_EMPTY = "force_zeros_for_empty_prompt"
TIME_IDS = 6  # numbers of a picture's geometry; the refiner takes five


class StableDiffusionXL(UNetModel):
    """Both text encoders' last layer but one conditions the denoiser, and the second one's summary of the text."""

    unet: UNet2DConditionModel
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {
        DENOISER: DENOISER_LAYERS,
        TEXT: CLIP_LAYERS,
        TEXT_2: CLIP_LAYERS,
    }

    @property
    def architecture(self) -> str:
        return "stable-diffusion-xl-v1-base"

    @property
    def adapter_facts(self) -> Mapping[str, str]:
        return {"ss_v2": "False", "ss_base_model_version": "sdxl_base_v1-0"}

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        first, second = (self.encoded(role, texts, output_hidden_states=True) for role in (TEXT, TEXT_2))
        # the first encoder's last layer conditions nothing; its zero lets every trained weight have a gradient
        unused_B11 = first.last_hidden_state[:, :1, :1] * 0
        tokens_BLD = torch.cat([first.hidden_states[-2] + unused_B11, second.hidden_states[-2]], dim=-1)
        summary_BD = second.text_embeds
        if empty_is_unconditional and self.checkpoint.setting(ZEROS_FOR_EMPTY):
            # by a product, so that every process has a gradient, if only of zeros
            said_B = to_device(torch.tensor([bool(text) for text in texts]), summary_BD.device)
            tokens_BLD = tokens_BLD * said_B[:, None, None]
            summary_BD = summary_BD * said_B[:, None]
        return {"tokens": tokens_BLD, "text_embeds": summary_BD}

    def encode_geometry(self, geometry: Sequence[Geometry]) -> Conditioning:
        rows = [[*own.original, *own.crop, *own.target] for own in geometry]
        return {"time_ids": to_device(torch.tensor(rows, dtype=torch.float32), next(self.unet.parameters()).device)}


def _misfits(configs: Configs) -> Iterator[str]:
    unet = configs["unet"]
    if wrong := wrong_channels(unet, configs["vae"]):
        yield wrong
    text, text_2 = configs["text_encoder"], configs["text_encoder_2"]
    if unet.get("addition_embed_type") != "text_time":
        yield "its denoiser is not conditioned on sizes: this is no Stable Diffusion XL model."
    elif wrong := wrong_width(unet, text.get("hidden_size", 0) + text_2.get("hidden_size", 0)):
        yield wrong
    else:
        width, summary = unet.get("addition_time_embed_dim") or 0, text_2.get("projection_dim", 0)
        if unet.get("projection_class_embeddings_input_dim") != TIME_IDS * width + summary:
            yield "its denoiser is conditioned on other sizes than the base model's: this is a refiner, or damaged."


def original_layout(parts: Parts) -> dict[str, Tensor]:
    return {
        **denoiser(parts["unet"]),
        **autoencoder(parts["vae"]),
        **clip(parts["text_encoder"], "conditioner.embedders.0.transformer."),
        **openclip(parts["text_encoder_2"], "conditioner.embedders.1.model."),
    }


LAYOUT = Layout(
    title="Stable Diffusion XL",
    pipeline="StableDiffusionXLPipeline",
    parts=(
        Part("unet", DENOISER, UNet2DConditionModel),
        Part("vae", AUTOENCODER, AutoencoderKL),
        Part("text_encoder", TEXT, CLIPTextModel, CLIP_PREFIX),
        Part("text_encoder_2", TEXT_2, CLIPTextModelWithProjection, CLIP_PREFIX),
    ),
    tokenizers={
        "clip_l": TokenizerPart("tokenizer", TEXT, CLIPTokenizer),
        "clip_g": TokenizerPart("tokenizer_2", TEXT_2, CLIPTokenizer),
    },
    absent=("feature_extractor", "image_encoder"),
    settings={ZEROS_FOR_EMPTY: True},
    misfits=_misfits,
    kohya={DENOISER: "lora_unet", TEXT: "lora_te1", TEXT_2: "lora_te2"},
    original_in_kohya=True,
    original=OriginalLayout(
        write=original_layout,
        layer=denoiser_layer,
        prefixes={
            "the denoiser": "model.diffusion_model.",
            "the autoencoder": "first_stage_model.",
            "the text encoders": "conditioner.embedders.",
        },
        usual_configs={"xl_base": "stabilityai/stable-diffusion-xl-base-1.0"},
        says_prediction=True,
        openai={"text_encoder": "conditioner.embedders.0.transformer."},
    ),
    multiple=8,
    comfyui="kohya",
)
StableDiffusionXL.layout = LAYOUT


@of_kind("model/sdxl")
class StableDiffusionXLSource(PipelineSource):
    """Of Stable Diffusion XL's base model and what descends from it."""

    model = StableDiffusionXL
