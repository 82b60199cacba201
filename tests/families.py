"""The model families that the tests know: a tiny model of each, in its real format and topology.

A new family gets a line in FAMILIES, and the contracts find it there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tiny import tiny_pipeline, tiny_source
from tiny_flux import tiny_flux_pipeline, tiny_flux_source
from tiny_sdxl import tiny_sdxl_pipeline, tiny_sdxl_source

from imprint.models.pipeline import PipelineModel
from imprint.models.source import PipelineSource


class TinyFamily(NamedTuple):
    """`pipeline` writes a tiny model into a folder, `source` constructs its configuration."""

    pipeline: Callable[[Path], Path]
    source: Callable[..., PipelineSource]


FAMILIES = {  # by what `model=` names them by
    "sd": TinyFamily(tiny_pipeline, tiny_source),
    "sdxl": TinyFamily(tiny_sdxl_pipeline, tiny_sdxl_source),
    "flux": TinyFamily(tiny_flux_pipeline, tiny_flux_source),
}


def choice_of(folder: Path) -> str:
    """What `model=` is for a pipeline's folder."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    return next(
        choice for choice, own in FAMILIES.items() if own.source(folder).layout.pipeline == index["_class_name"]
    )


def load_tiny(folder: Path) -> PipelineModel:
    """The model of a pipeline folder, as a run loads it."""
    return FAMILIES[choice_of(folder)].source(folder).load()
