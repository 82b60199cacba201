"""Adapters in one file with the names that other programs read: those that kohya's scripts introduced, and ComfyUI's.

Where the original program has several of our layers as one, so do its files: queries, keys and values have one adapter.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from imprint.errors import UserError
from imprint.methods.adapter_layers import layers, write_weights
from imprint.methods.model_spec import spec_of_model, spec_of_origin
from imprint.models.base import Model
from imprint.models.checkpoint.original_names import Joined, join
from imprint.models.roles import DENOISER

DOWN, UP = "lora_down.weight", "lora_up.weight"
IN_COMFYUI = {DOWN: "lora_A.weight", UP: "lora_B.weight"}


class KohyaAdapter(NamedTuple):
    """Of one layer. Its alpha gives what was trained under its readers' rule: it counts alpha / rank."""

    tensors: Mapping[str, Tensor]  # by the names that follow the layer's
    alpha: float
    rank: int


AdapterOf = Callable[[Any], KohyaAdapter]  # for a layer of peft's
ByLayer = Mapping[str, Mapping[str, KohyaAdapter]]  # role -> our layer -> its adapter


def adapters_of(model: Model, roles: Sequence[str], adapter_of: AdapterOf) -> ByLayer:
    return {role: {name: adapter_of(layer) for name, layer in layers(model.roles[role]).items()} for role in roles}


def write_kohya(file: Path, dtype: torch.dtype, adapters: ByLayer, *, model: Any, origin: Mapping[str, str]) -> None:
    """By the names of kohya's scripts."""
    _check_roles(adapters, model.names.kohya_roles, model)
    stored: dict[str, Tensor] = {}
    in_file = _in_file(adapters, model, model.names.in_kohya)
    for name, adapter in in_file.items():
        for own, tensor in adapter.tensors.items():
            stored[f"{name}.{own}"] = _stored(tensor, dtype)
        stored[f"{name}.alpha"] = torch.tensor(adapter.alpha)
    write_weights(file, stored, _facts(next(iter(in_file.values())), model, origin))


def write_comfyui(file: Path, dtype: torch.dtype, adapters: ByLayer, *, model: Any, origin: Mapping[str, str]) -> None:
    """By ComfyUI's own names, which only denoisers have. Alphas are multiplied in: not all readers look for them."""
    _check_roles(adapters, [DENOISER], model)
    stored: dict[str, Tensor] = {}
    for name, adapter in _in_file(adapters, model, lambda _, layer: model.names.in_comfyui(layer)).items():
        for own, tensor in _without_alpha(adapter).items():
            stored[f"{name}.{IN_COMFYUI.get(own, own)}"] = _stored(tensor, dtype)
    write_weights(file, stored, {**origin, **spec_of_model(model, "lora"), **spec_of_origin(origin)})


def _check_roles(adapters: ByLayer, named: Collection[str], model: Any) -> None:
    if unnamed := [model.names.part(role) for role in adapters if role not in named]:
        raise UserError(
            f"format: such files have no names for adapters of {', '.join(unnamed)} of {model.names.layout.title}. Use "
            "format=pipeline, which merges them."
        )


def _in_file(adapters: ByLayer, model: Any, name_of: Callable[[str, str], Joined]) -> dict[str, KohyaAdapter]:
    """The adapters of a file's layers, by their names."""
    found = {}
    for role, own in adapters.items():
        for joined in dict.fromkeys(name_of(role, layer) for layer in own):
            heights = [len(model.roles[role].get_submodule(part).weight) for part in joined.parts]
            found[joined.name] = own[joined.parts[0]] if joined.is_plain else _joined(joined, own, heights)
    return found


def _joined(joined: Joined, adapters: Mapping[str, KohyaAdapter], heights: Sequence[int]) -> KohyaAdapter:
    """One LoRA for layers whose rows follow one another: each of its rows has the rank of its own layer's, so all ranks
    add up; layers that have the same first matrix share it. What has no adapter stays as it is."""
    own = {part: _without_alpha(adapters[part]) for part in joined.parts if part in adapters}
    downs = [tensors[DOWN] for tensors in own.values()]
    shared = all(torch.equal(down, downs[0]) for down in downs)
    down = downs[0] if shared else torch.cat(downs)
    rows, first = [], 0
    for part, height in zip(joined.parts, heights, strict=True):
        up = down.new_zeros(height, len(down))
        if part in own:
            rank = own[part][UP].shape[1]
            up[:, first : first + rank] = own[part][UP]
            first += 0 if shared else rank
        rows.append(up)
    return KohyaAdapter({DOWN: down, UP: join(rows, swapped=joined.swapped)}, alpha=float(len(down)), rank=len(down))


def _without_alpha(adapter: KohyaAdapter) -> Mapping[str, Tensor]:
    """The tensors as they count where no alpha is read."""
    tensors = {name: tensor.detach() for name, tensor in adapter.tensors.items()}
    if UP in tensors:
        tensors[UP] = tensors[UP] * (adapter.alpha / adapter.rank)
    return tensors


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.detach().to("cpu", dtype).contiguous()


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
