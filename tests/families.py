"""The model families that the tests know: a tiny model of each, in its real format and topology.

A new family gets a line in FAMILIES, and the contracts find it there.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tiny import tiny_pipeline, tiny_source
from tiny_flux import T5_TOKENS, tiny_flux_pipeline, tiny_flux_source
from tiny_sdxl import tiny_sdxl_pipeline, tiny_sdxl_source

from imprint.models.pipeline import PipelineModel
from imprint.models.source import PipelineSource


class TinyFamily(NamedTuple):
    """`pipeline` writes a tiny model into a folder, `source` constructs its configuration, and `drawing` is what the
    library's pipeline must be told to draw the same. `refused` are methods that it cannot be taught by, and why."""

    pipeline: Callable[[Path], Path]
    source: Callable[..., PipelineSource]
    drawing: Mapping[str, Any] = {}
    refused: Mapping[str, str] = {}


FAMILIES = {  # by what `model=` names them by
    "sd": TinyFamily(tiny_pipeline, tiny_source),
    "sdxl": TinyFamily(tiny_sdxl_pipeline, tiny_sdxl_source),
    "flux": TinyFamily(
        tiny_flux_pipeline,
        tiny_flux_source,
        {"max_sequence_length": T5_TOKENS},
        {"custom_diffusion": "denoiser has none of these layers"},
    ),
}


def choice_of(folder: Path) -> str:
    """What `model=` is for a pipeline's folder."""
    return _of_class(json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"])


def drawing_of(pipeline: Any) -> Mapping[str, Any]:
    """What one of the library's pipelines must be told besides."""
    return FAMILIES[_of_class(type(pipeline).__name__)].drawing


def _of_class(pipeline: str) -> str:
    return next(choice for choice, own in FAMILIES.items() if own.source(".").layout.pipeline == pipeline)


def load_tiny(folder: Path) -> PipelineModel:
    """The model of a pipeline folder, as a run loads it."""
    return FAMILIES[choice_of(folder)].source(folder).load()
