"""Adapters in one file with the names that kohya's scripts introduced, which A1111, ComfyUI and others read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imprint.families.base import Family
from imprint.methods.adapter_layers import NAME, layers, write_weights

PARTS = {"unet": "lora_unet", "text_encoder": "lora_te"}
LayerTensors = Callable[[Any], Mapping[str, Tensor]]  # an adapter's weights by the names that follow its layer's


def write_kohya(
    file: Path,
    dtype: torch.dtype,
    *,
    family: Family,
    roles: Sequence[str],
    origin: Mapping[str, str],
    tensors: LayerTensors,
) -> None:
    """The file's alpha gives what was trained under its readers' rule: an adapter counts alpha / rank."""
    stored: dict[str, Tensor] = {}
    for role in roles:
        for name, layer in layers(family.roles[role]).items():
            key = _key(family.adapter_name(role, name))
            for own, tensor in tensors(layer).items():
                stored[f"{key}.{own}"] = tensor.detach().to("cpu", dtype).contiguous()
            stored[f"{key}.alpha"] = torch.tensor(_alpha(layer))
    write_weights(file, stored, _facts(family, roles, origin))


def _key(name: str) -> str:
    part, _, rest = name.partition(".")
    return f"{PARTS[part]}_{rest.replace('.', '_')}"


def _alpha(layer: Any) -> float:
    return float(layer.scaling[NAME] * layer.r[NAME])


def _facts(family: Family, roles: Sequence[str], origin: Mapping[str, str]) -> dict[str, str]:
    layer: Any = next(iter(layers(family.roles[roles[0]]).values()))
    return {
        **origin,
        "ss_network_dim": str(layer.r[NAME]),
        "ss_network_alpha": f"{_alpha(layer):g}",
        "ss_v2": str(family.architecture == "stable-diffusion-v2"),
        "ss_sd_model_name": origin["base_model"],
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{family.architecture}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": origin["title"],
        "modelspec.trigger_phrase": origin["trigger_words"],
    }
