"""Updates of low rank as a LoRA file, by the stock library's names: written, and put into a network."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from imprint.errors import Problem, UserError
from imprint.methods.adapter_layers import NAME, merge, read_metadata, write_weights
from imprint.methods.kohya import KohyaLayer, write_kohya_layers
from imprint.methods.low_rank import LowRank, as_adapter
from imprint.models.base import Model, strength_of

FILE = "pytorch_lora_weights.safetensors"
DESCRIPTION = "lora_adapter_metadata"  # where the library looks for alpha and its like
NETWORK = {"ss_network_module": "networks.lora"}


LORA_FORMATS = ("lora", "kohya")  # by the stock library's names, and by those that A1111 and ComfyUI read


def write_updates(
    format: str, file: Path, dtype: torch.dtype, *, model: Model, updates: LowRank, origin: Mapping[str, str]
) -> None:
    """Raises UserError for a name that readers would not take for such a file."""
    if file.suffix != ".safetensors":
        raise UserError(str(Problem("out", str(file), "other programs want the name to end in .safetensors.")))
    write = {"lora": write_lora, "kohya": write_kohya_lora}[format]
    write(file, dtype, model=model, updates=updates, origin=origin)


def write_lora(file: Path, dtype: torch.dtype, *, model: Any, updates: LowRank, origin: Mapping[str, str]) -> None:
    """Every alpha is its rank, so that readers who pass over alphas draw the same. `model` may be an outline."""
    tensors: dict[str, Tensor] = {}
    description: dict[str, Any] = {}
    for role, own in updates.items():
        for layer, factors in own.items():
            down, up = as_adapter(factors, model.roles[role].get_submodule(layer).weight)
            tensors[model.names.stock(role, f"{layer}.lora_A.weight")] = down.to(dtype)
            tensors[model.names.stock(role, f"{layer}.lora_B.weight")] = up.to(dtype)
        part = model.names.part(role)
        description |= {f"{part}.{key}": value for key, value in _config({n: f.rank for n, f in own.items()}).items()}
    about = {DESCRIPTION: json.dumps(description, sort_keys=True)}
    write_weights(file, tensors, {**origin, **about})


def write_kohya_lora(
    file: Path, dtype: torch.dtype, *, model: Any, updates: LowRank, origin: Mapping[str, str]
) -> None:
    """A part has one alpha, its usual rank: the stock library gives alphas of their own to the wrong layers."""
    stored = []
    for role, own in updates.items():
        alpha = _usual(factors.rank for factors in own.values())
        for layer, factors in own.items():
            down, up = as_adapter(factors, model.roles[role].get_submodule(layer).weight)
            tensors = {"lora_down.weight": down, "lora_up.weight": up * (factors.rank / alpha)}
            stored.append(KohyaLayer(model.names.kohya(role, layer), tensors, alpha=float(alpha), rank=factors.rank))
    write_kohya_layers(file, dtype, stored, model=model, origin={**origin, **NETWORK})


def load_lora(model: Model, file: Path, *, scale: Mapping[str, float]) -> dict[str, str]:
    """Puts a file that `write_lora` wrote into an untuned family; returned is what it was made from."""
    from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict

    stored, about = load_file(file), read_metadata(file)
    found = {role: _layers(stored, model, role) for role in model.roles}
    known = 2 * sum(map(len, found.values()))
    if known < len(stored):
        matched = f"only {known}" if known else "none"
        raise UserError(f"{file}: {matched} of its {len(stored)} weights belong to layers of this model.")
    for role, part in model.roles.items():
        layers = found[role]
        if not layers:
            continue
        _check(part, layers, role, file)
        config = _config({name: len(tensors["lora_A"]) for name, tensors in layers.items()})
        inject_adapter_in_model(LoraConfig(**config), part, NAME)
        part.requires_grad_(False)
        tensors = {f"{name}.{kind}.weight": x for name, own in layers.items() for kind, x in own.items()}
        set_peft_model_state_dict(part, tensors, adapter_name=NAME)
        if strength_of(scale, role) != 1.0:
            merge(part, scale[role])
    return {key: value for key, value in about.items() if key not in (DESCRIPTION, "format")}


def _layers(stored: Mapping[str, Tensor], model: Model, role: str) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {}
    for name, module in model.roles[role].named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            for kind in ("lora_A", "lora_B"):
                key = model.names.stock(role, f"{name}.{kind}.weight")
                if key in stored:
                    found.setdefault(name, {})[kind] = stored[key].float()
    return found


def _check(part: nn.Module, layers: Mapping[str, Mapping[str, Tensor]], role: str, file: Path) -> None:
    wrong = []
    for name, own in layers.items():
        weight: Any = part.get_submodule(name).weight
        if own["lora_A"].shape[1] != weight.shape[1] or own["lora_B"].shape[0] != weight.shape[0]:
            wrong.append(f"{name} ({len(own['lora_B'])} x {own['lora_A'].shape[1]}, here {tuple(weight.shape[:2])})")
    if wrong:
        raise UserError(
            f"{file}: {len(wrong)} of {len(layers)} adapters were made for other layers than those of this model's "
            f"{role}: {', '.join(wrong[:3])}."
        )


def _usual(ranks: Iterable[int]) -> int:
    [(usual, _)] = Counter(ranks).most_common(1)
    return usual


def _config(ranks: Mapping[str, int]) -> dict[str, Any]:
    """What peft must know of layers with these ranks."""
    usual = _usual(ranks.values())
    others = {name: rank for name, rank in sorted(ranks.items()) if rank != usual}
    patterns = {"rank_pattern": others, "alpha_pattern": others} if others else {}
    return {"r": usual, "lora_alpha": usual, "target_modules": sorted(ranks), **patterns}
