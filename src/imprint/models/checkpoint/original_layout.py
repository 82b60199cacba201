"""Stable Diffusion and Stable Diffusion XL in the original layout, the one-file form in which image-generation programs
share whole models.

The original counts the denoiser's blocks in one row, where each resnet or resampling is an entry; diffusers groups them
by resolution.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

QUERY_KEY_VALUE = ("q_proj", "k_proj", "v_proj")
_DENOISER_RESNET = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
)
_DENOISER_ENDS = (
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("class_embedding", "label_emb"),
    ("add_embedding.linear_1", "label_emb.0.0"),
    ("add_embedding.linear_2", "label_emb.0.2"),
    ("conv_in", "input_blocks.0.0"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
)
_AUTOENCODER_ATTENTION = (
    ("group_norm", "norm"),
    ("to_q", "q"),
    ("to_k", "k"),
    ("to_v", "v"),
    ("to_out.0", "proj_out"),
)
_OPENCLIP = (
    ("embeddings.token_embedding.weight", "token_embedding.weight"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("final_layer_norm", "ln_final"),
    ("encoder.layers", "transformer.resblocks"),
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("self_attn", "attn"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
)


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


def denoiser_name(name: str, config: Mapping[str, Any]) -> str:
    """Of a weight of a denoiser with this configuration."""
    layers: int = config["layers_per_block"]
    assert isinstance(layers, int), "the original layout has the same number of layers everywhere"
    attention_up = ["Attn" in block for block in config["up_block_types"]]
    for ours, theirs in _DENOISER_ENDS:
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    parts = name.split(".")
    if parts[0] == "mid_block":
        kind, index, rest = parts[1], int(parts[2]), ".".join(parts[3:])
        return f"middle_block.{2 * index if kind == 'resnets' else 2 * index + 1}.{_inner(kind, rest)}"
    side, block, kind, index, rest = parts[0], int(parts[1]), parts[2], int(parts[3]), ".".join(parts[4:])
    if side == "down_blocks":
        first = 1 + block * (layers + 1)
        if kind == "downsamplers":
            return f"input_blocks.{first + layers}.0.{rest.replace('conv', 'op', 1)}"
        return f"input_blocks.{first + index}.{int(kind == 'attentions')}.{_inner(kind, rest)}"
    first = block * (layers + 1)
    if kind == "upsamplers":
        return f"output_blocks.{first + layers}.{1 + attention_up[block]}.{rest}"
    return f"output_blocks.{first + index}.{int(kind == 'attentions')}.{_inner(kind, rest)}"


def denoiser_layer(name: str, config: Mapping[str, Any]) -> str:
    return denoiser_name(f"{name}.", config).removesuffix(".")


def autoencoder_name(name: str, blocks: int) -> str:
    """`blocks`: resolutions of the decoder, which the original counts from the picture's side."""
    name = re.sub(r"mid_block\.resnets\.(\d+)", lambda match: f"mid.block_{int(match[1]) + 1}", name)
    if "mid_block.attentions.0" in name:
        for ours, theirs in _AUTOENCODER_ATTENTION:
            name = name.replace(f".{ours}.", f".{theirs}.")
        return name.replace("mid_block.attentions.0", "mid.attn_1")
    name = re.sub(r"up_blocks\.(\d+)", lambda match: f"up.{blocks - 1 - int(match[1])}", name)
    name = name.replace("down_blocks.", "down.").replace("resnets", "block")
    name = name.replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample")
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def openclip_name(name: str) -> str:
    """For everything but the projections of query, key and value, which OpenCLIP keeps in one tensor."""
    for ours, theirs in _OPENCLIP:
        name = name.replace(ours, theirs)
    return name


def _inner(kind: str, rest: str) -> str:
    if kind == "attentions":
        return rest
    for ours, theirs in _DENOISER_RESNET:
        if rest.startswith(f"{ours}."):
            return rest.replace(ours, theirs, 1)
    return rest
