"""Updates of low rank as a LoRA file, by the stock library's names or by those that other programs read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imprint.errors import Problem, UserError
from imprint.methods.adapter_layers import write_weights
from imprint.methods.adopted import peft_settings, usual_rank
from imprint.methods.kohya import DOWN, UP, ByLayer, KohyaAdapter, write_comfyui, write_kohya
from imprint.methods.lora import DESCRIPTION, NETWORK
from imprint.methods.model_spec import spec_of_model, spec_of_origin
from imprint.models.base import Model
from imprint.results.low_rank import Factors, LowRank

LORA_FORMATS = ("lora", "kohya", "comfyui")


def write_updates(
    format: str, file: Path, dtype: torch.dtype, *, model: Model, updates: LowRank, origin: Mapping[str, str]
) -> None:
    """Raises UserError for a name that readers would not take for such a file."""
    if file.suffix != ".safetensors":
        raise UserError(str(Problem("out", str(file), "other programs want the name to end in .safetensors.")))
    about = {**origin, **spec_of_model(model, "lora"), **spec_of_origin(origin)}
    names = {"lora": "stock", "kohya": "kohya", "comfyui": model.names.comfyui}[format]
    if names == "stock":
        write_lora(file, dtype, model=model, updates=updates, origin=about)
    elif names == "kohya":
        write_kohya(file, dtype, _adapters(model, updates), model=model, origin={**about, **NETWORK})
    else:
        write_comfyui(file, dtype, _adapters(model, updates), model=model, origin=about)


def write_lora(file: Path, dtype: torch.dtype, *, model: Any, updates: LowRank, origin: Mapping[str, str]) -> None:
    """Every alpha is its rank, so that readers that pass over alphas generate the same. `model` may have no weights."""
    tensors: dict[str, Tensor] = {}
    description: dict[str, Any] = {}
    for role, own in updates.items():
        for layer, factors in own.items():
            down, up = _as_adapter(factors, model.roles[role].get_submodule(layer).weight)
            tensors[model.names.stock(role, f"{layer}.lora_A.weight")] = down.to(dtype)
            tensors[model.names.stock(role, f"{layer}.lora_B.weight")] = up.to(dtype)
        part = model.names.part(role)
        settings = peft_settings({layer: factors.rank for layer, factors in own.items()})
        description |= {f"{part}.{key}": value for key, value in settings.items()}
    about = {DESCRIPTION: json.dumps(description, sort_keys=True)}
    write_weights(file, tensors, {**origin, **about})


def _adapters(model: Model, updates: LowRank) -> ByLayer:
    """A part has one alpha, its usual rank: the stock library gives alphas of their own to the wrong layers."""
    found: dict[str, dict[str, KohyaAdapter]] = {}
    for role, own in updates.items():
        alpha = usual_rank(factors.rank for factors in own.values())
        for layer, factors in own.items():
            module: Any = model.roles[role].get_submodule(layer)
            down, up = _as_adapter(factors, module.weight)
            tensors = {DOWN: down, UP: up * (factors.rank / alpha)}
            found.setdefault(role, {})[layer] = KohyaAdapter(tensors, alpha=float(alpha), rank=factors.rank)
    return found


def _as_adapter(factors: Factors, weight: Tensor | nn.Parameter) -> tuple[Tensor, Tensor]:
    """(down, up) in the shapes that LoRA has on a layer with this weight."""
    rank, rest = factors.rank, tuple(weight.shape[1:])
    kernel = (1,) * (weight.ndim - 2)
    return factors.down_RI.reshape(rank, *rest).contiguous(), factors.up_OR.reshape(-1, rank, *kernel).contiguous()
