"""Adapters and words from files that other programs wrote. Pickles are read without running anything in them."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from imprint.errors import UserError
from imprint.methods.lora import DESCRIPTION
from imprint.methods.word_files import FRONT_ENDS_KEY
from imprint.models.base import MetaModel
from imprint.models.checkpoint.weights import read_header
from imprint.results.external_names import Place, place_of, places, split, whose, why_unreadable
from imprint.results.low_rank import Factors, LowRank, factors_of

SAFE, PICKLES = ".safetensors", (".pt", ".bin", ".pth", ".ckpt")
WORDS_OF = {
    frozenset({"clip_l", "clip_g"}): "Stable Diffusion XL",
    frozenset({"clip_l"}): "Stable Diffusion 1.x or 2.x",
}
OF_VOCABULARIES = {"clip_l", "clip_g", "t5"}  # what files call the vectors of models with several text encoders
PEFT_FILE, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"


class Adapters(NamedTuple):
    updates: LowRank
    matched: int  # keys of the file
    keys: int


class Words(NamedTuple):
    """Word -> vocabulary -> (N, D). A word that the file does not name is called ""."""

    vectors: Mapping[str, Mapping[str, Tensor]]


def read_external(file: Path, meta: MetaModel, *, partial: bool) -> Adapters | Words:
    """Raises UserError, saying what the file is, unless all of it (with `partial`: any of it) fits the model."""
    content, about = _content(file)
    words = _words(content, list(meta.widths))
    if words is not None:
        return _checked_words(file, words, meta)
    return _adapters(file, {key: x for key, x in content.items() if isinstance(x, Tensor)}, about, meta, partial)


def _content(file: Path) -> tuple[dict[str, Any], dict[str, str]]:
    if not file.is_file():
        raise UserError(f"files={file}: there is no such file.")
    if file.suffix == SAFE:
        read_header(file, str(file), key="files")
        with safe_open(file, framework="pt") as opened:
            about = dict(opened.metadata() or {})
        return load_file(file), about
    if file.suffix not in PICKLES:
        raise UserError(f"files={file}: give {SAFE}, or {', '.join(PICKLES)}.")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile pickle makes the reader raise
        remedy = "it holds more than weights, or is damaged, and is not opened. Get it as .safetensors."
        raise UserError(f"files={file}: {remedy}") from error
    content = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    return {str(key): value for key, value in content.items()}, {}


def _words(content: Mapping[str, Any], vocabularies: Sequence[str]) -> dict[str, dict[str, Tensor]] | None:
    """By vocabularies, as models with several have them; else A1111's two formats, or diffusers': tensors named by
    words."""
    inner = content.get("string_to_param")
    if isinstance(inner, Mapping):
        return {"": {vocabularies[0]: next(iter(inner.values()))}}
    if FRONT_ENDS_KEY in content:
        return {"": {vocabularies[0]: content[FRONT_ENDS_KEY]}}
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    plain = tensors and all(value.ndim <= 2 and split(key) is None and "." not in key for key, value in tensors.items())
    if not plain or len(tensors) < len(content):
        return None
    if tensors.keys() <= OF_VOCABULARIES:
        return {"": tensors}
    return {word: {vocabularies[0]: x} for word, x in tensors.items()}


def _checked_words(file: Path, words: Mapping[str, Mapping[str, Tensor]], meta: MetaModel) -> Words:
    found: dict[str, dict[str, Tensor]] = {}
    for word, vectors in words.items():
        if vectors.keys() != meta.widths.keys():
            there, here = ", ".join(sorted(vectors)), ", ".join(meta.widths)
            raise UserError(
                f"files={file}: {word or 'its word'} was learned for the vocabularies {there}, and those of this model "
                f"are {here}. It was learned for {WORDS_OF.get(frozenset(vectors), 'another kind of model')}."
            )
        rows = {name: (x if x.ndim == 2 else x[None]).detach().float().contiguous() for name, x in vectors.items()}
        for name, rows_ND in rows.items():
            if rows_ND.shape[1] != meta.widths[name]:
                kind = f"vectors of {rows_ND.shape[1]} numbers, this model's have {meta.widths[name]}"
                raise UserError(
                    f"files={file}: {word or 'its word'} has {kind}. It was learned for another kind of model."
                )
        found[word] = rows
    return Words(found)


def _adapters(
    file: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str], meta: MetaModel, partial: bool
) -> Adapters:
    known = places(meta, file.parent.name)
    found: dict[Place, dict[str, Tensor]] = {}
    unknown: list[str] = []
    for key, tensor in tensors.items():
        parts = split(key)
        place = place_of(parts[0], known) if parts else None
        if parts is None or place is None:
            unknown.append(key)
        else:
            found.setdefault(place, {})[parts[1]] = tensor
    matched = len(tensors) - len(unknown)
    if unknown and not (partial and found):
        raise UserError(_why_not(file, unknown, len(tensors), meta.names.layout.title))
    strength = _strengths(file, about)
    updates: dict[str, dict[str, Factors]] = {}
    for place, own in found.items():
        part = meta.names.part(place.role)
        updates.setdefault(place.role, {})[place.layer] = _factors(file, place, own, strength(part, place.layer))
    _check_shapes(file, updates, meta)
    return Adapters(updates, matched, len(tensors))


def _factors(file: Path, place: Place, own: Mapping[str, Tensor], strength: float | None) -> Factors:
    alpha = float(own["alpha"]) if "alpha" in own else None
    try:
        factors = factors_of(own, alpha)
    except (KeyError, RuntimeError, IndexError) as error:
        raise UserError(
            f"files={file}: the adapter of {place.layer} is not whole ({', '.join(sorted(own))}). Get the file again."
        ) from error
    return factors if strength is None or alpha is not None else factors._replace(up_OR=factors.up_OR * strength)


def _strengths(file: Path, about: Mapping[str, str]) -> Any:
    """(part, layer) -> alpha / rank where the file's description, or one beside it, says so."""
    described: dict[str, Any] = json.loads(about.get(DESCRIPTION, "{}"))
    beside = file.parent / PEFT_CONFIG
    if file.name == PEFT_FILE and beside.is_file():
        described = {f".{key}": value for key, value in json.loads(beside.read_text(encoding="utf-8")).items()}

    def strength(part: str, layer: str) -> float | None:
        prefix = f"{part}." if f"{part}.r" in described else "."
        if f"{prefix}r" not in described:
            return None

        def setting(name: str, default: Any = None) -> Any:
            return described.get(f"{prefix}{name}", default)

        rank = _of_layer(setting("rank_pattern"), layer, setting("r"))
        alpha = _of_layer(setting("alpha_pattern"), layer, setting("lora_alpha", setting("alpha", rank)))
        return float(alpha) / (math.sqrt(rank) if setting("use_rslora") else rank)

    return strength


def _of_layer(pattern: Mapping[str, float] | None, layer: str, usual: float) -> float:
    return next(
        (value for name, value in (pattern or {}).items() if layer == name or layer.endswith(f".{name}")), usual
    )


def _check_shapes(file: Path, updates: LowRank, meta: MetaModel) -> None:
    wrong, count = [], 0
    for role, own in updates.items():
        for layer, factors in own.items():
            count += 1
            shape: torch.Size = meta.roles[role].get_submodule(layer).weight.shape  # type: ignore[assignment]
            if (len(factors.up_OR), factors.down_RI.shape[1]) != (shape[0], shape[1:].numel()):
                wrong.append(f"{layer} ({len(factors.up_OR)} x {factors.down_RI.shape[1]}, here {tuple(shape)})")
    if wrong:
        raise UserError(
            f"files={file}: {len(wrong)} of its {count} adapters have other sizes than this model's layers: "
            f"{', '.join(wrong[:3])}. It was made for another kind of model: give that one as model=..."
        )


def _why_not(file: Path, unknown: list[str], count: int, own: str) -> str:
    matched = f"files={file}: {count - len(unknown)} of its {count} keys belong to layers of this model"
    some = ", ".join(sorted(unknown)[:3])
    reasons = dict.fromkeys(filter(None, (why_unreadable(key) for key in unknown)))
    others = dict.fromkeys(filter(None, (whose(key, own) for key in unknown)))
    if others:
        return f"{matched}. The others are those of {' and '.join(others)} ({some}). Give the model it was made for."
    if reasons:
        return f"{matched}. Among the others are {' and '.join(reasons)} ({some}), which no LoRA can hold."
    return f"{matched}, {len(unknown)} do not ({some}). To use only those that do, give partial=true."
