"""Adapters and words from files that other programs wrote."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from imprint.errors import UserError
from imprint.models.checkpoint.original_names import split as split_rows
from imprint.models.checkpoint.recognition import others_of
from imprint.models.facts import MetaModel
from imprint.results.external_file import ExternalFile, open_external
from imprint.results.external_names import Place, place_of, places, split, why_unreadable
from imprint.results.external_strengths import Strengths, read_strengths
from imprint.results.external_words import Words, read_words
from imprint.results.low_rank import Factors, LowRank, UnlikeRanks, factors_of, size_of


class Adapters(NamedTuple):
    """`trigger` and `license` are what the file says; empty: it does not. `beside` are settings from another file by
    which the adapters count."""

    updates: LowRank
    matched: int  # keys of the file
    keys: int
    trigger: str
    license: str
    beside: Mapping[str, Any]


def read_external(path: Path, meta: MetaModel, *, partial: bool) -> Adapters | Words:
    """Raises UserError, saying what the file is, unless all of it (with `partial`: any of it) fits the model."""
    file = open_external(path)
    return read_words(file, meta) or _adapters(file, meta, partial)


def _adapters(file: ExternalFile, meta: MetaModel, partial: bool) -> Adapters:
    tensors = {key: x for key, x in file.content.items() if isinstance(x, Tensor)}
    known = places(meta, file.path.parent.name)
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
        raise UserError(_why_not(file.path, unknown, len(tensors), meta.names.layout.title))
    if ruined := [
        str(place) for place, own in found.items() if not all(x.float().isfinite().all() for x in own.values())
    ]:
        some = f"{len(ruined)} of its {len(found)} adapters hold NaN or infinite numbers ({', '.join(ruined[:3])})"
        raise UserError(f"files={file.path}: {some}: its training failed. Get another file.")
    _check_sizes(file.path, found, meta)
    strengths = read_strengths(file)
    updates: dict[str, dict[str, Factors]] = {}
    for place, own in found.items():
        factors = _factors(file.path, place, own, strengths, meta)
        of_role = updates.setdefault(place.role, {})
        for layer, part in zip(place.layers, _split(factors, place, meta), strict=True):
            if layer in of_role:
                raise UserError(f"files={file.path}: it has two adapters of {layer}. Get another file.")
            if part.rank:
                of_role[layer] = part
    trigger = file.about.get("trigger_words") or file.about.get("modelspec.trigger_phrase") or ""
    beside = strengths.settings.get("", {}) if strengths.beside else {}
    return Adapters(updates, matched, len(tensors), trigger, file.about.get("modelspec.license", ""), beside)


def _factors(path: Path, place: Place, own: Mapping[str, Tensor], strengths: Strengths, meta: MetaModel) -> Factors:
    with _naming(path, place, own):
        alpha = float(own["alpha"]) if "alpha" in own else None
        factors = factors_of(own, alpha)
    if alpha is not None:
        return factors
    names = meta.names.in_peft(place.role, place.layers[0])
    rank = len(own["lora_down.weight"]) if "lora_down.weight" in own else None
    strength = strengths.of(meta.names.part(place.role), names, rank)
    return factors if strength is None else factors._replace(up_OR=factors.up_OR * strength)


def _split(factors: Factors, place: Place, meta: MetaModel) -> list[Factors]:
    """Those of our layers: each has its rows, and of the rank what they use."""
    if len(place.layers) == 1 and not place.swapped:
        return [factors]
    found = []
    for up_OR in split_rows(factors.up_OR, _heights(place, meta), swapped=place.swapped):
        used_R = up_OR.any(dim=0)
        found.append(Factors(up_OR[:, used_R].contiguous(), factors.down_RI[used_R].contiguous()))
    return found


def _heights(place: Place, meta: MetaModel) -> list[int]:
    return [len(_weight(layer, place, meta)) for layer in place.layers]


def _weight(layer: str, place: Place, meta: MetaModel) -> Tensor:
    weight: Any = meta.roles[place.role].get_submodule(layer).weight
    return weight  # type: ignore[no-any-return]


@contextmanager
def _naming(path: Path, place: Place, own: Mapping[str, Tensor]) -> Iterator[None]:
    try:
        yield
    except (KeyError, RuntimeError, IndexError, ValueError) as error:
        why = error if isinstance(error, UnlikeRanks) else ", ".join(sorted(own))
        raise UserError(f"files={path}: the adapter of {place} is not whole ({why}). Get the file again.") from error


def _check_sizes(file: Path, found: Mapping[Place, Mapping[str, Tensor]], meta: MetaModel) -> None:
    wrong = []
    for place, own in found.items():
        heights, shape = _heights(place, meta), _weight(place.layers[0], place, meta).shape
        with _naming(file, place, own):
            height, width = size_of(own)
        if (height, width) != (sum(heights), shape[1:].numel()):
            wrong.append(f"{place} ({height} x {width}, here {(sum(heights), *shape[1:])})")
    if wrong:
        raise UserError(
            f"files={file}: {len(wrong)} of its {len(found)} adapters have other sizes than this model's layers: "
            f"{', '.join(wrong[:3])}. It was made for another kind of model: give that one as model=..."
        )


def _why_not(file: Path, unknown: list[str], count: int, own: str) -> str:
    matched = f"files={file}: {count - len(unknown)} of its {count} keys belong to layers of this model"
    some = ", ".join(sorted(unknown)[:3])
    reasons = dict.fromkeys(filter(None, (why_unreadable(key) for key in unknown)))
    if others := others_of(unknown, own):
        return f"{matched}. The others are those of {others} ({some}). Give the model it was made for."
    if reasons:
        return f"{matched}. Among the others are {' and '.join(reasons)} ({some}), which no LoRA can hold."
    return f"{matched}, {len(unknown)} do not ({some}). To use only those that do, give partial=true."
