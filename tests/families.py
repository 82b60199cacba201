"""The model families that the tests know: a tiny model of each, in its real format and topology.

A new family gets a line in FAMILIES, and the contracts find it there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tiny import tiny_pipeline, tiny_source
from tiny_flux import flux_velocity, tiny_flux_pipeline, tiny_flux_source
from tiny_parts import T5_TOKENS
from tiny_sdxl import tiny_sdxl_pipeline, tiny_sdxl_source
from torch import Tensor

from imprint.models.pipeline import PipelineModel
from imprint.models.source import PipelineSource


class Guided(NamedTuple):
    """A way to guide: what our sampler is told, what the library's pipeline is, and how the tiny model is made."""

    guidance: float
    negative_prompt: str
    told: Mapping[str, Any]
    made: Mapping[str, Any] = {}


class TinyFamily(NamedTuple):
    """`pipeline` writes a tiny model into a folder, `source` constructs its configuration, and `drawing` is what the
    library's pipeline must be told to draw the same. `refused` are methods that it cannot be taught by, and why.

    Of families of flows: `guided` are their senses of guidance, `velocity` computes with the library's own parts what
    the denoiser predicts while it trains, and `misfits` are changes of a part's configuration (part, key, value) that
    make it one of another model, with what is said of it."""

    pipeline: Callable[..., Path]
    source: Callable[..., PipelineSource]
    drawing: Mapping[str, Any] = {}
    refused: Mapping[str, str] = {}
    guided: Mapping[str, Guided] = {}
    velocity: Callable[[Any, Tensor, Tensor, Sequence[str]], Tensor] | None = None
    misfits: Mapping[tuple[str, str], str] = {}


FAMILIES = {  # by what `model=` names them by
    "sd": TinyFamily(tiny_pipeline, tiny_source),
    "sdxl": TinyFamily(tiny_sdxl_pipeline, tiny_sdxl_source),
    "flux": TinyFamily(
        tiny_flux_pipeline,
        tiny_flux_source,
        {"max_sequence_length": T5_TOKENS},
        {"custom_diffusion": "denoiser has none of these layers"},
        guided={
            "told": Guided(3.5, "", {"guidance_scale": 3.5}),
            "schnell": Guided(1.0, "", {}, {"guidance": False}),
            "by a negative prompt": Guided(
                3.0, "a cat", {"true_cfg_scale": 3.0, "negative_prompt": "a cat"}, {"guidance": False}
            ),
        },
        velocity=flux_velocity,
        misfits={
            ("transformer", "joint_attention_dim"): "expects 99 text features of text_encoder_2, which gives 24",
            ("transformer", "pooled_projection_dim"): "expects 99 text features of text_encoder, which gives 16",
            ("transformer", "in_channels"): "takes 99 channels, a token has 16",
        },
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
