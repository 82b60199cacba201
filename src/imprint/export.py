"""imprint export: a trained run as a file or folder that other programs open."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from omegaconf import DictConfig

from imprint.build import trained_family
from imprint.errors import ConfigError, Problem
from imprint.locations import locate
from imprint.requests import read_request
from imprint.runs import Run
from imprint.suggestions import nearest

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `export.yaml` asks for."""

    run: str
    format: str
    dtype: Literal["float16", "float32"]
    out: str | None
    outputs: str


def main(cfg: DictConfig) -> None:
    log.info("Wrote %s", export(cfg))


def export(cfg: DictConfig) -> Path:
    """The file or folder that was written."""
    request = read_request(Request, cfg)
    run = Run.finished(locate(request.run))
    family, _, method = trained_family(run, scale={})
    formats = {**family.formats, **method.formats(family)}
    format = formats.get(request.format)
    if format is None:
        raise ConfigError([Problem("format", request.format, nearest(request.format, formats))])
    out = locate(request.out) if request.out else run.folder / "export" / format.name
    format.write(out, getattr(torch, request.dtype))
    return out
