"""imprint export: a trained run, or a labelled data set, as files that other programs open."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from omegaconf import DictConfig
from pydantic import PositiveInt

from imprint.errors import ConfigError, Problem
from imprint.labelled.folder import is_labelled, read_folder
from imprint.labelled.formats.base import DataFormat, is_free
from imprint.locations import locate
from imprint.reporting.model_card import origin
from imprint.requests import read_request
from imprint.results.extraction import ExtractedLora, extract_lora
from imprint.results.load import method_of, trained_model
from imprint.results.lora_file import LORA_FORMATS, write_updates
from imprint.runs import Run
from imprint.suggestions import nearest

log = logging.getLogger(__name__)
WHOLE = ("pipeline", "single_file")  # formats with the network's weights


@dataclass(frozen=True, kw_only=True)
class FileRequest:
    """What is written."""

    trust: list[str]
    format: str
    rank: PositiveInt | None
    base: str | None
    dtype: Literal["float16", "float32"]


@dataclass(frozen=True, kw_only=True)
class Request(FileRequest):
    """What `export.yaml` asks for."""

    run: str
    out: str | None
    formats: dict[str, DataFormat]


def main(cfg: DictConfig) -> None:
    log.info("Wrote %s", export(cfg))


def export(cfg: DictConfig) -> Path:
    """The file or folder that was written."""
    request = read_request(Request, cfg)
    folder = locate(request.run)
    if not Run(folder).manifest.is_file() and (request.format in request.formats or is_labelled(folder)):
        return _data_set(request)
    run = Run.finished(locate(request.run), trust=request.trust)
    if request.format == "lora" or (request.format in LORA_FORMATS and request.rank is not None):
        return _as_lora(run, request)
    if request.rank is not None and not method_of(run).has_ranks:
        remedy = f"only {' and '.join(LORA_FORMATS)} have a rank to choose. Leave it out."
        raise ConfigError([Problem("rank", request.rank, remedy)])
    whole = request.format in WHOLE
    model, _, method = trained_model(
        run, scale={}, base=request.base, rank=request.rank, weights=whole, quantised=False
    )
    formats = {**model.formats, **method.formats(model)}
    format = formats.get(request.format)
    if format is None and request.format in LORA_FORMATS:
        return _as_lora(run, request)
    if format is None:
        raise ConfigError([Problem("format", request.format, nearest(request.format, {*formats, *LORA_FORMATS}))])
    out = locate(request.out) if request.out else run.folder / "export" / format.name
    format.write(out, getattr(torch, request.dtype))
    return out


def _data_set(request: Request) -> Path:
    """A labelled data set, whoever made it."""
    format = request.formats.get(request.format)
    if format is None:
        remedy = f"this is a labelled data set. Give {', '.join(sorted(request.formats))}."
        raise ConfigError([Problem("format", request.format, remedy)])
    data = read_folder(locate(request.run))
    if problems := list(format.problems(data)):
        raise ConfigError(problems)
    data.check_pictures()
    out = locate(request.out) if request.out else format.place(data.folder, request.format)
    if not format.is_in_place and not is_free(out):
        remedy = "other files lie there, which would be replaced. Give another folder, or remove them."
        raise ConfigError([Problem("out", str(out), remedy)])
    format.write(data, out)
    return out


def _as_lora(run: Run, request: Request) -> Path:
    lora = extract_lora([run], weights=None, scale={}, rank=request.rank, format=request.format, base=request.base)
    if lora.model.words:
        log.warning("Its words (%s) are no part of it: export them with format=embedding.", ", ".join(lora.model.words))
    out = locate(request.out) if request.out else run.folder / "export" / f"{request.format}.safetensors"
    write_lora_file(lora, out, request, origin(run))
    return out


def write_lora_file(lora: ExtractedLora, out: Path, request: FileRequest, about: Mapping[str, str]) -> None:
    log.info("LoRA: %s.", lora.fit)
    about, dtype = {**about, **lora.fit.facts()}, getattr(torch, request.dtype)
    write_updates(request.format, out, dtype, model=lora.model, updates=lora.updates, origin=about)
