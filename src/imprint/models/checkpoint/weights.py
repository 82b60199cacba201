"""Weight files by their names and headers, without reading the weights."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from imprint.errors import Problem, UserError

PICKLE_RISK = (
    "a pickle file can run any program when it is opened. "
    "Prefer a .safetensors copy; if you trust its author, set model.allow_pickle=true"
)

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}  # as safetensors call them


class Stored(NamedTuple):
    """A tensor as a file's header describes it."""

    shape: tuple[int, ...]
    dtype: str = "F32"  # as safetensors call it


def single_type(stored: Iterable[Stored]) -> torch.dtype | None:
    """That of all of these tensors that are floating point; None, where they are of several, or of a type in which no
    network computes."""
    types = {tensor.dtype for tensor in stored if "F" in tensor.dtype}
    return TYPES.get(next(iter(types))) if len(types) == 1 else None


def safetensors_of(names: Iterable[str], folder: str, variant: str | None) -> list[str]:
    """Those of `names` (relative, with `/`) that hold the weights of the part in `folder`: a file, or its
    shards."""
    return _matching(names, folder, variant, "safetensors")


def pickles_of(names: Iterable[str], folder: str, variant: str | None) -> list[str]:
    return _matching(names, folder, variant, "bin")


def variants_of(names: Iterable[str], folder: str) -> set[str | None]:
    """Every variant there is of a part, in safetensors or pickle. None: the one without a name."""
    pattern = re.compile(rf"{re.escape(folder)}/{_STEM}(?:\.(\w+))?{_SHARD}(?:\.(\w+))?\.(?:safetensors|bin)")
    return {match[1] or match[2] for name in names if (match := pattern.fullmatch(name))}


def read_header(path: Path, source: str, *, key: str = "model.source") -> Mapping[str, Stored]:
    """What a safetensors file holds. Raises UserError, naming the file, when it is truncated or something
    else."""
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return {name: Stored(tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        remedy = (
            f"{path} is no complete safetensors file ({error}). "
            "It was probably cut off while it was copied: delete it and get it again."
        )
        raise UserError(str(Problem(key, source, remedy))) from error


_STEM = "(?:diffusion_pytorch_model|pytorch_model|model)"
_SHARD = r"(?:-\d+-of-\d+)?"


def _matching(names: Iterable[str], folder: str, variant: str | None, suffix: str) -> list[str]:
    mark = rf"\.{re.escape(variant)}" if variant else ""
    # diffusers writes the variant before a shard's number, transformers after it
    form = rf"{re.escape(folder)}/{_STEM}(?:{mark}{_SHARD}|{_SHARD}{mark})\.{suffix}"
    return sorted(name for name in names if re.fullmatch(form, name))
