"""A Stable Diffusion model as one file in the original layout, as image-generation programs share it."""

from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextModel

from imprint.errors import Problem, UserError
from imprint.families.sd_checkpoint import Parts
from imprint.families.single_file_names import autoencoder_name, denoiser_name, openclip_name
from imprint.files import write_atomically

QUERY_KEY_VALUE = ("q_proj", "k_proj", "v_proj")


def write_single_file(file: Path, parts: Parts, dtype: torch.dtype) -> None:
    """Every weight in `dtype`. The file is whole or not there."""
    if file.suffix != ".safetensors":
        raise UserError(str(Problem("out", str(file), "other programs want the name to end in .safetensors.")))
    tensors = {name: weight.to(dtype).contiguous() for name, weight in original_layout(parts).items()}
    write_atomically(file, lambda temporary: save_file(tensors, temporary, metadata={"format": "pt"}))


def original_layout(parts: Parts) -> dict[str, Tensor]:
    """The weights of `parts` by their original names, in their original shapes."""
    return {
        **_prefixed("model.diffusion_model.", _denoiser(parts.unet)),
        **_prefixed("first_stage_model.", _autoencoder(parts.vae)),
        **_text(parts.text_encoder),
    }


def _denoiser(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    layers = unet.config.layers_per_block
    assert isinstance(layers, int), "the original layout has the same number of layers everywhere"
    attention_up = tuple("Attn" in block for block in unet.config.up_block_types)
    return {denoiser_name(name, layers, attention_up): weight for name, weight in unet.state_dict().items()}


def _autoencoder(vae: AutoencoderKL) -> dict[str, Tensor]:
    blocks = len(vae.config.block_out_channels)
    tensors = {autoencoder_name(name, blocks): weight for name, weight in vae.state_dict().items()}
    # the original's attention is made of 1 x 1 convolutions
    return {
        name: weight[:, :, None, None] if ".attn_1." in name and weight.ndim == 2 else weight
        for name, weight in tensors.items()
    }


def _text(text_encoder: CLIPTextModel) -> dict[str, Tensor]:
    """Stable Diffusion 1.x has OpenAI's text encoder, 2.x has OpenCLIP's: they differ in their activation,
    and in their names in the original files."""
    # transformers before version 5.6 had this prefix inside the model
    weights = {name.removeprefix("text_model."): weight for name, weight in text_encoder.state_dict().items()}
    if text_encoder.config.hidden_act == "quick_gelu":
        return _prefixed("cond_stage_model.transformer.text_model.", weights)
    return _prefixed("cond_stage_model.model.", _openclip(weights))


def _openclip(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors = {}
    for name, weight in weights.items():
        if any(f".{projection}." in name for projection in QUERY_KEY_VALUE):
            if ".q_proj." in name:
                fused = torch.cat([weights[name.replace("q_proj", projection)] for projection in QUERY_KEY_VALUE])
                tensors[openclip_name(name.replace(".q_proj.", ".in_proj_"))] = fused
        else:
            tensors[openclip_name(name)] = weight
    return tensors


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
