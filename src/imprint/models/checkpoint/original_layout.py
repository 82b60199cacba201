"""Networks in the original layout, the one-file form in which image-generation programs share whole models."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from imprint.models.checkpoint.original_names import autoencoder_name, denoiser_name, openclip_name

QUERY_KEY_VALUE = ("q_proj", "k_proj", "v_proj")


def denoiser(unet: Any) -> dict[str, Tensor]:
    named = {denoiser_name(name, unet.config): weight for name, weight in unet.state_dict().items()}
    return prefixed("model.diffusion_model.", named)


def autoencoder(vae: Any) -> dict[str, Tensor]:
    blocks = len(vae.config.block_out_channels)
    named = {autoencoder_name(name, blocks): weight for name, weight in vae.state_dict().items()}
    # the original's attention is made of 1 x 1 convolutions
    shaped = {
        name: weight[:, :, None, None] if ".attn_1." in name and weight.ndim == 2 else weight
        for name, weight in named.items()
    }
    return prefixed("first_stage_model.", shaped)


def clip(text_encoder: nn.Module, prefix: str) -> dict[str, Tensor]:
    """OpenAI's text encoder."""
    return prefixed(f"{prefix}text_model.", _text_model(text_encoder))


def openclip(text_encoder: nn.Module, prefix: str) -> dict[str, Tensor]:
    """OpenCLIP's, which keeps the projections of query, key and value in one tensor."""
    weights = _text_model(text_encoder)
    named = {}
    for name, weight in weights.items():
        if name == "text_projection.weight":
            named["text_projection"] = weight.T
        elif not any(f".{projection}." in name for projection in QUERY_KEY_VALUE):
            named[openclip_name(name)] = weight
        elif ".q_proj." in name:
            fused = torch.cat([weights[name.replace("q_proj", projection)] for projection in QUERY_KEY_VALUE])
            named[openclip_name(name.replace(".q_proj.", ".in_proj_"))] = fused
    return prefixed(prefix, named)


def _text_model(text_encoder: nn.Module) -> dict[str, Tensor]:
    # transformers before version 5.6 had this prefix inside all models, and has it inside those with a projection
    return {name.removeprefix("text_model."): weight for name, weight in text_encoder.state_dict().items()}


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
