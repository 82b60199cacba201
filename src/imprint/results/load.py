"""The model of a finished run."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from imprint.construct import rebuilt
from imprint.errors import ConfigError
from imprint.methods.base import Method
from imprint.models.base import Model, ModelInfo, ModelSource
from imprint.results.base_model import other_model, own_model
from imprint.results.weight_change import add, weight_delta
from imprint.runs import Run
from imprint.types import Concept


class Trained(NamedTuple):
    """The model of a finished run, and the method whose result is in it."""

    model: Model
    concepts: tuple[Concept, ...]
    method: Method


class Source(NamedTuple):
    """What a finished run was trained from, or is put into, and how: checked, and not loaded."""

    model: ModelSource
    facts: ModelInfo
    method: Method


def trained_model(run: Run, *, scale: Mapping[str, float], base: str | None = None, rank: int | None = None) -> Trained:
    """For drawing and export. With `base`, the result is in the model there and not in the one it was trained from.
    With `rank`, it is cut to that; only results that hold several ranks can be.

    Raises UserError if what the run was trained from has changed, or `base` does not fit.
    """
    source = source_of(run, scale=scale, sampler={}, base=base)
    if rank is not None:
        source.method.choose_rank(rank)
    model = source.model.load()
    if base is not None and source.method.replaces_weights:
        own = own_model(run, {}).load()
        add(model, weight_delta(own, source.method, run.result).difference, scale)
        source.method.load_words(model, run.result)
    else:
        source.method.load(model, run.result, scale=scale)
    return Trained(model, run.concepts, source.method)


def source_of(run: Run, *, scale: Mapping[str, float], sampler: Mapping[str, Any], base: str | None = None) -> Source:
    """Cheap. `sampler` replaces parts of the model's own. Raises UserError if the model has changed since, or `base`
    does not fit."""
    method = method_of(run)
    if problems := list(method.scale_problems(scale)):
        raise ConfigError(problems)
    model = own_model(run, sampler) if base is None else other_model(run, base, sampler)
    return Source(model, model.facts(), method)


def method_of(run: Run) -> Method:
    """The method that made the run's result, as it was configured."""
    method: Method = rebuilt(run.read().config.method, "method", Method, manifest=run.manifest, trust=run.trust)
    return method
