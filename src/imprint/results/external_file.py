"""Files of weights that other programs wrote, opened as data: nothing in them is run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from imprint.errors import UserError
from imprint.models.checkpoint.weights import read_header

SAFE, PICKLES = ".safetensors", (".pt", ".bin", ".pth", ".ckpt")


class ExternalFile(NamedTuple):
    """`about` is its metadata, which only safetensors have."""

    path: Path
    content: Mapping[str, Any]
    about: Mapping[str, str]


class _Parameters:
    """What a pickle's torch.nn.ParameterDict becomes: a plain object with the attributes that were pickled."""


def open_external(file: Path) -> ExternalFile:
    """Raises UserError unless it is a file of weights."""
    if not file.is_file():
        raise UserError(f"files={file}: there is no such file.")
    if file.suffix == SAFE:
        read_header(file, str(file), key="files")
        with safe_open(file, framework="pt") as opened:
            about = dict(opened.metadata() or {})
        return ExternalFile(file, load_file(file), about)
    if file.suffix not in PICKLES:
        raise UserError(f"files={file}: give {SAFE}, or {', '.join(PICKLES)}.")
    try:
        with torch.serialization.safe_globals([(_Parameters, "torch.nn.modules.container.ParameterDict")]):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile pickle makes the reader raise
        remedy = "it holds more than weights, or is damaged, and is not opened. Get it as .safetensors."
        raise UserError(f"files={file}: {remedy}") from error
    content = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    return ExternalFile(file, {str(key): _as_mapping(value) for key, value in content.items()}, {})


def _as_mapping(value: Any) -> Any:
    return vars(value).get("_parameters", {}) if isinstance(value, _Parameters) else value
