"""How much adapters count, where a file says so beside their tensors: diffusers in its metadata, peft in a file."""

import json
import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from imprint import messages
from imprint.errors import UserError
from imprint.methods.lora import DESCRIPTION
from imprint.results.external_file import ExternalFile
from imprint.results.layer_patterns import check_patterns, matching

log = logging.getLogger(__name__)

PEFT_FILE, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
NUMBERS = ("r", "lora_alpha", "alpha")
PATTERNS = ("rank_pattern", "alpha_pattern")
LARGEST = 1e6  # far beyond any rank or alpha, in files by which nothing was trained
SETTINGS = (*NUMBERS, *PATTERNS, "use_rslora")  # those of peft's that change how much an adapter counts


class Strengths(NamedTuple):
    """`settings` are peft's, by the name of the part that they are of; "" holds those of all parts. `beside`: they come
    from a file beside the one with the tensors."""

    place: str
    settings: Mapping[str, Mapping[str, Any]]
    beside: bool

    def of(self, part: str, names: Iterable[str], rank: int | None) -> float | None:
        """What the product of a layer's matrices counts by; None: nothing is said. `names` are all that peft may have
        called the layer; `rank` is that of its matrices, where they show it."""
        own = self.settings.get(part) or self.settings.get("")
        if own is None or "r" not in own:
            return None
        names = list(names)
        described = matching(own.get("rank_pattern", {}), names, own["r"])
        if rank is not None and described != rank:
            raise UserError(f"{self.place} says that {names[0]} has rank {described:g}, and its matrices have {rank}.")
        alpha = matching(own.get("alpha_pattern", {}), names, own.get("lora_alpha", own.get("alpha", described)))
        return float(alpha) / (math.sqrt(described) if own.get("use_rslora") else described)


def read_strengths(file: ExternalFile) -> Strengths:
    """Raises UserError for a description that cannot be read."""
    beside = file.path.parent / PEFT_CONFIG
    if file.path.name == PEFT_FILE and beside.is_file():
        place = f"files={file.path}: {PEFT_CONFIG} beside it"
        return Strengths(place, _checked(place, {"": _object(beside.read_bytes(), place)}), beside=True)
    if file.path.name == PEFT_FILE:
        log.warning("%s: there is no %s beside it, which says how much it counts. It counts 1.", file.path, PEFT_CONFIG)
    place = f"files={file.path}: its {DESCRIPTION}"
    by_part: dict[str, dict[str, Any]] = {}
    for key, value in _object(file.about.get(DESCRIPTION, "{}"), place).items():
        part, _, setting = key.rpartition(".")
        by_part.setdefault(part, {})[setting] = value
    return Strengths(place, _checked(place, by_part), beside=False)


def _object(text: str | bytes, place: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} is no JSON. Get the file again.") from error
    if not isinstance(content, dict):
        raise UserError(f"{place} is no JSON object. Get the file again.")
    return content


def _checked(place: str, by_part: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The settings that matter. Raises UserError for values that no program can count by."""
    checked: dict[str, dict[str, Any]] = {}
    for part, settings in by_part.items():
        own = checked[part] = {}
        for name in SETTINGS:
            if (value := settings.get(name)) is None:
                continue
            try:
                own[name] = _setting(name, value)
            except ValueError as error:
                remedy = f"says {name}={messages.value(value)}, which nothing can count by. Get the file again."
                raise UserError(f"{place} {remedy}") from error
    return checked


def _setting(name: str, value: Any) -> Any:
    """Raises ValueError."""
    is_rank = name in ("r", "rank_pattern")
    if name in PATTERNS:
        if not isinstance(value, dict):
            raise ValueError
        check_patterns(value)
        return {pattern: _number(own, is_rank=is_rank) for pattern, own in value.items()}
    if name in NUMBERS:
        return _number(value, is_rank=is_rank)
    if not isinstance(value, bool):
        raise ValueError
    return value


def _number(value: Any, *, is_rank: bool) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST:
        raise ValueError
    if is_rank and not value > 0:
        raise ValueError
    return value
