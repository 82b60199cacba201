"""What the tests must know of a model family."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from imprint.models.source import PipelineSource


class Guided(NamedTuple):
    """A way to guide: what our sampler is told, what the library's pipeline is, and how the tiny model is made."""

    guidance: float
    negative_prompt: str
    told: Mapping[str, Any]
    made: Mapping[str, Any] = {}


class TinyFamily(NamedTuple):
    """`pipeline` writes a tiny model into a folder, `source` constructs its configuration, `drawing` is what the
    library's pipeline must be told to draw the same, `mending` puts right what it does wrong, and `settings` what a run
    is told of a model so small. `forms` are others in which its checkpoints are found, by name: what `pipeline` is told
    to write one. `refused` are methods that it cannot be taught by, and why. `golden` are settings whose
    losses are kept, by the names of methods, and `grid` are points that learn side by side.
    `unread` are formats of `imprint export` that the library does not read of a model of this size, and why;
    `reads_lokr`: it reads LoKr.

    Of families of flows: `guided` are their senses of guidance, `velocity` computes with the library's own parts what
    the denoiser predicts while it trains, and `misfits` are keys of a part's configuration, (part, key), that make it
    one of another model where they are 99, with what is said of it."""

    pipeline: Callable[..., Path]
    source: Callable[..., PipelineSource]
    drawing: Mapping[str, Any] = {}
    settings: Sequence[str] = ()
    forms: Mapping[str, Mapping[str, Any]] = {}
    mending: Callable[[Any], None] | None = None
    refused: Mapping[str, str] = {}
    golden: Mapping[str, Sequence[str]] = {}
    grid: Sequence[Sequence[str]] = ()
    guided: Mapping[str, Guided] = {}
    velocity: Callable[[Any, Tensor, Tensor, Sequence[str]], Tensor] | None = None
    misfits: Mapping[tuple[str, str], str] = {}
    unread: Mapping[str, str] = {}
    reads_lokr: bool = False
