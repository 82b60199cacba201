"""imprint export: a trained run as a file or folder that other programs open."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from omegaconf import DictConfig, OmegaConf

from imprint.build import trained_family
from imprint.construct import Constructor
from imprint.errors import ConfigError
from imprint.locations import locate
from imprint.runs import Run

log = logging.getLogger(__name__)

NAMES = {"single_file": "model.safetensors", "pipeline": "pipeline"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `export.yaml` asks for."""

    run: str
    format: Literal["single_file", "pipeline"]
    dtype: Literal["float16", "float32"]
    out: str | None
    outputs: str


def main(cfg: DictConfig) -> None:
    log.info("Wrote %s", export(cfg))


def export(cfg: DictConfig) -> Path:
    """The file or folder that was written."""
