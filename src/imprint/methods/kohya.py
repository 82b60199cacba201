"""Adapters in one file with the names that kohya's scripts introduced, which A1111, ComfyUI and others read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from imprint.methods.adapter_layers import NAME, layers, write_weights
from imprint.models.base import Model

LayerTensors = Callable[[Any], Mapping[str, Tensor]]  # an adapter's weights by the names that follow its layer's


class KohyaLayer(NamedTuple):
    """An adapter of one layer. Its alpha gives what was trained under its readers' rule: it counts alpha / rank."""

    name: str  # the layer's
    tensors: Mapping[str, Tensor]  # by the names that follow its own
    alpha: float
    rank: int


def write_kohya(
    file: Path,
    dtype: torch.dtype,
    *,
    model: Model,
    roles: Sequence[str],
    origin: Mapping[str, str],
    tensors: LayerTensors,
) -> None:
    stored = [
        KohyaLayer(model.names.kohya(role, name), tensors(layer), _alpha(layer), layer.r[NAME])
        for role in roles
        for name, layer in layers(model.roles[role]).items()
    ]
    write_kohya_layers(file, dtype, stored, model=model, origin=origin)


def write_kohya_layers(
    file: Path, dtype: torch.dtype, layers: Iterable[KohyaLayer], *, model: Model, origin: Mapping[str, str]
) -> None:
    layers = list(layers)
    stored: dict[str, Tensor] = {}
    for layer in layers:
        for own, tensor in layer.tensors.items():
            stored[f"{layer.name}.{own}"] = tensor.detach().to("cpu", dtype).contiguous()
        stored[f"{layer.name}.alpha"] = torch.tensor(layer.alpha)
    write_weights(file, stored, _facts(layers[0], model, origin))


def _alpha(layer: Any) -> float:
    return float(layer.scaling[NAME] * layer.r[NAME])


def _facts(layer: KohyaLayer, model: Model, origin: Mapping[str, str]) -> dict[str, str]:
    return {
        **origin,
        "ss_network_dim": str(layer.rank),
        "ss_network_alpha": f"{layer.alpha:g}",
        **model.adapter_facts,
        "ss_sd_model_name": origin["base_model"],
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{model.architecture}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": origin["title"],
        "modelspec.trigger_phrase": origin["trigger_words"],
    }
