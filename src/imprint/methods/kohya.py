"""Adapters in one file with the names that kohya's scripts introduced, which A1111, ComfyUI and others read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from imprint.methods.adapter_layers import layers, write_weights
from imprint.methods.model_spec import spec_of_model, spec_of_origin
from imprint.models.base import Model


class KohyaAdapter(NamedTuple):
    """Of one layer. Its alpha gives what was trained under its readers' rule: it counts alpha / rank."""

    tensors: Mapping[str, Tensor]  # by the names that follow the layer's
    alpha: float
    rank: int


AdapterOf = Callable[[Any], KohyaAdapter]  # for a layer of peft's


def write_kohya(
    file: Path,
    dtype: torch.dtype,
    *,
    model: Model,
    roles: Sequence[str],
    origin: Mapping[str, str],
    adapter_of: AdapterOf,
) -> None:
    stored = {
        model.names.kohya(role, name): adapter_of(layer)
        for role in roles
        for name, layer in layers(model.roles[role]).items()
    }
    write_kohya_layers(file, dtype, stored, model=model, origin=origin)


def write_kohya_layers(
    file: Path, dtype: torch.dtype, layers: Mapping[str, KohyaAdapter], *, model: Model, origin: Mapping[str, str]
) -> None:
    """`layers` by their names in the file."""
    stored: dict[str, Tensor] = {}
    for name, adapter in layers.items():
        for own, tensor in adapter.tensors.items():
            stored[f"{name}.{own}"] = tensor.detach().to("cpu", dtype).contiguous()
        stored[f"{name}.alpha"] = torch.tensor(adapter.alpha)
    write_weights(file, stored, _facts(next(iter(layers.values())), model, origin))


def _facts(adapter: KohyaAdapter, model: Model, origin: Mapping[str, str]) -> dict[str, str]:
    return {
        **origin,
        "ss_network_dim": str(adapter.rank),
        "ss_network_alpha": f"{adapter.alpha:g}",
        **model.adapter_facts,
        "ss_sd_model_name": origin["base_model"],
        **spec_of_model(model, "lora"),
        **spec_of_origin(origin),
    }
