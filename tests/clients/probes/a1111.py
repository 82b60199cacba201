"""AUTOMATIC1111's web UI: its Lora extension and its reading of embeddings.

The web UI around them is left out: what they import of it is a stand-in, except what they compute with. The network is
a tree of plain layers with the original program's names.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import MagicMock

import torch
from common import Case, Found, networks_only, relative_error, run, word
from safetensors.torch import load_file
from torch import nn

ROOT = Path(os.environ["CLIENT"])
REAL = ("modules.textual_inversion.textual_inversion",)


class StandIn(types.ModuleType):
    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = MagicMock(name=f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Of everything in `modules` but what is to be tried, and of the libraries of the user interface."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        first = name.partition(".")[0]
        if first in ("gradio", "piexif") or (first == "modules" and name not in REAL and not is_parent(name)):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def is_parent(name: str) -> bool:
    return any(real.startswith(f"{name}.") for real in REAL)


sys.meta_path.insert(0, Finder())
sys.path[:0] = [str(ROOT), str(ROOT / "extensions-builtin" / "Lora")]

from modules import devices, sd_models, shared  # noqa: E402

devices.cpu = devices.device = torch.device("cpu")
devices.dtype = torch.float32
sd_models.read_state_dict = load_file
import network  # noqa: E402
import networks  # noqa: E402
from modules.textual_inversion import textual_inversion  # noqa: E402


class Part(nn.Module):
    """A layer of a kind that nothing is added to, or a group of layers."""


def tree(weights: Mapping[str, torch.Tensor]) -> nn.Module:
    root = Part()
    names = {name.rpartition(".")[0] for name in weights}
    for name in sorted(names, key=lambda own: own.count(".")):
        parent = root
        *groups, last = name.split(".")
        for group in groups:
            if not hasattr(parent, group):
                parent.add_module(group, Part())
            parent = getattr(parent, group)
        if not isinstance(parent, nn.MultiheadAttention) and last and not hasattr(parent, last):
            parent.add_module(last, layer(name, weights))
    return root.requires_grad_(False)


def layer(name: str, weights: Mapping[str, torch.Tensor]) -> nn.Module:
    fused = weights.get(f"{name}.in_proj_weight")
    if fused is not None:
        module: nn.Module = nn.MultiheadAttention(fused.shape[1], 1)
        module.in_proj_weight.data.copy_(fused)
        module.out_proj.weight.data.copy_(weights[f"{name}.out_proj.weight"])
        return module
    weight = weights.get(f"{name}.weight")
    if weight is None or weight.ndim not in (2, 4) or "embedding" in name:
        return Part()
    if weight.ndim == 2:
        module = nn.Linear(weight.shape[1], weight.shape[0])
    else:
        module = nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]))
    module.weight.data.copy_(weight)
    return module


def beginning(weights: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): x for name, x in weights.items() if name.startswith(prefix)}


def model_of(case: Case) -> tuple[Any, dict[str, nn.Module]]:
    """The model as the extension sees it, and its trees by how the original names of their weights begin."""
    weights = networks_only(case["base_file"])
    trees = {"model.": tree(beginning(weights, "model."))}
    if case["family"] == "sdxl":
        trees |= {
            f"conditioner.embedders.{i}.": tree(beginning(weights, f"conditioner.embedders.{i}.")) for i in (0, 1)
        }
        wrapped = [types.SimpleNamespace(wrapped=own) for name, own in trees.items() if name != "model."]
        seen: Any = types.SimpleNamespace(is_sdxl=True, conditioner=types.SimpleNamespace(embedders=wrapped))
    else:
        trees["cond_stage_model."] = tree(beginning(weights, "cond_stage_model."))
        seen = types.SimpleNamespace(
            is_sdxl=False, cond_stage_model=types.SimpleNamespace(wrapped=trees["cond_stage_model."])
        )
    seen.model = trees["model."]
    return seen, trees


def examine(case: Case) -> Found | None:
    if case["format"] in ("kohya", "lora", "result") and not Path(case["file"]).is_dir():
        return adapters(case)
    if case["format"] == "embedding":
        return embedding(case)
    return None


def adapters(case: Case) -> Found:
    shared.sd_model, trees = model_of(case)
    networks.assign_network_names_to_compvis_modules(shared.sd_model)
    on_disk = types.SimpleNamespace(filename=case["file"], sd_version=network.SdVersion.Unknown)
    net = networks.load_network("theirs", on_disk)
    net.te_multiplier = net.unet_multiplier = 1.0
    net.dyn_dim = None
    networks.loaded_networks[:] = [net]
    networks.extra_network_lora = types.SimpleNamespace(errors={})
    theirs = networks_only(case["base_file"])
    base = dict(theirs)
    for prefix, root in trees.items():
        # an attention's own output layer is never called: the attention's forward has its weights changed, too
        attentions = [module for module in root.modules() if isinstance(module, nn.MultiheadAttention)]
        inside = {child for attention in attentions for child in attention.children()}
        for module in root.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.MultiheadAttention) and module not in inside:
                networks.network_apply_weights(module)
        for name, weight in root.state_dict().items():
            if f"{prefix}{name}" in theirs and name.endswith("weight"):
                theirs[f"{prefix}{name}"] = weight
    stored = load_file(case["file"])
    layers = {name.partition(".")[0] for name in stored}
    used = {
        name for name in layers if any(name == module.network_key.partition(".")[0] for module in net.modules.values())
    }
    keys = sum(name.partition(".")[0] in used for name in stored)
    error = relative_error(networks_only(case["tuned_file"]), theirs, base)
    failed = sum(networks.extra_network_lora.errors.values())
    return {
        "keys": len(stored),
        "used": keys,
        "error": error,
        **({"note": f"{failed} layers failed"} if failed else {}),
    }


def embedding(case: Case) -> Found:
    found = textual_inversion.create_embedding_from_data(load_file(case["file"]), "toy", filename="toy.safetensors").vec
    if case["family"] == "sdxl":
        expected = load_file(case["word_file"])
        same = all(torch.equal(found[key].float(), expected[key].float()) for key in expected)
    else:
        same = torch.equal(found.float(), word(case).float())
    return {"keys": 1, "used": int(same), "error": 0.0 if same else 1.0}


run(examine)
