"""The model families that the tests know: a tiny model of each, in its real format and topology."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tiny import tiny_pipeline, tiny_source
from tiny_sdxl import tiny_sdxl_pipeline, tiny_sdxl_source

from imprint.models.pipeline import PipelineModel
from imprint.models.source import PipelineSource


class TinyFamily(NamedTuple):
    """`choice` is what `model=` names it by, `pipeline` writes a tiny model, `source` constructs its configuration."""

    choice: str
    pipeline: Callable[[Path], Path]
    source: Callable[..., PipelineSource]


FAMILIES = {
    "StableDiffusionPipeline": TinyFamily("sd", tiny_pipeline, tiny_source),
    "StableDiffusionXLPipeline": TinyFamily("sdxl", tiny_sdxl_pipeline, tiny_sdxl_source),
}


def family_of(folder: Path) -> TinyFamily:
    """That of a pipeline's folder."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    return FAMILIES[index["_class_name"]]


def load_tiny(folder: Path) -> PipelineModel:
    """The model of a pipeline folder, as a run loads it."""
    return family_of(folder).source(folder).load()
