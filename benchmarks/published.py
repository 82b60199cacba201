"""Folders with models of published sizes: without weights, or smaller ones with random weights.

The tiny models of the tests give what is not a matter of size: tokenizers, schedulers, the form of the files.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from families import FAMILIES  # noqa: E402
from tiny_family import TinyFamily  # noqa: E402
from transformers import PreTrainedModel  # noqa: E402

TABLE = yaml.safe_load((Path(__file__).parent / "published_networks.yaml").read_text(encoding="utf-8"))
PUBLISHED: Mapping[str, Any] = TABLE["models"]
LENGTHS = {
    "CLIPTokenizer": 77
}  # tokens of a caption, by the tokenizer's class; what others read is a setting of imprint's
LONGEST = 1024


def tiny_model(name: str, folder: Path) -> Path:
    """Of the same family, as the tests have it."""
    return FAMILIES[PUBLISHED[name]["family"]].pipeline(folder)


def without_weights(name: str, folder: Path) -> Path:
    """The published model's configurations beside the weights of a tiny one, which nothing reads."""
    model = PUBLISHED[name]
    return _resized(name, folder, model["parts"], model.get("pipeline", {}), with_weights=False)


def of_middle_size(name: str, folder: Path) -> Path:
    """Random weights in bfloat16, as most are published."""
    model = PUBLISHED[name]
    sizes = {part: {**own, **model["middle"].get(part, {})} for part, own in model["parts"].items()}
    return _resized(name, folder, sizes, model["middle"].get("pipeline", {}), with_weights=True)


def settings_of(name: str) -> Sequence[str]:
    """What a configuration has to say of a model of this family that is smaller than the published one."""
    family: TinyFamily = FAMILIES[PUBLISHED[name]["family"]]
    return family.settings


def _resized(
    name: str, folder: Path, sizes: Mapping[str, Any], pipeline: Mapping[str, Any], *, with_weights: bool
) -> Path:
    family: TinyFamily = FAMILIES[PUBLISHED[name]["family"]]
    family.pipeline(folder)
    layout = family.source(folder).layout
    torch.manual_seed(0)
    _write_changed(folder / "model_index.json", pipeline)
    for part in layout.parts:
        file = folder / part.name / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        _update(config, sizes[part.name])
        if not with_weights:
            file.write_text(json.dumps(config), encoding="utf-8")
        elif issubclass(part.type, PreTrainedModel):
            part.type(part.type.config_class.from_dict(config)).to(torch.bfloat16).save_pretrained(folder / part.name)
        else:
            part.type.from_config(config).to(torch.bfloat16).save_pretrained(folder / part.name)
    for own in layout.tokenizers.values():
        _lengthen(folder / own.name / "tokenizer_config.json")
    return folder


def _write_changed(file: Path, changes: Mapping[str, Any]) -> None:
    config = json.loads(file.read_text(encoding="utf-8"))
    _update(config, changes)
    file.write_text(json.dumps(config), encoding="utf-8")


def _update(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Of what transformers derives from the number of layers, nothing of the tiny model's stays."""
    config.pop("layer_types", None)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _update(config[key], value)
        else:
            config[key] = value


def _lengthen(file: Path) -> None:
    kind = json.loads(file.read_text(encoding="utf-8")).get("tokenizer_class", "").removesuffix("Fast")
    _write_changed(file, {"model_max_length": LENGTHS.get(kind, LONGEST)})
