"""The model of a finished run: the one that it was trained from, or another of its kind, and with its result in it."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from imprint.construct import rebuilt
from imprint.errors import ConfigError, Problem, UserError
from imprint.locations import PACKAGE_PREFIX, local_path, locate
from imprint.methods.base import Method
from imprint.models.base import Model, ModelSource
from imprint.models.facts import ModelInfo
from imprint.models.loading import WHOLE, Loading
from imprint.results.weight_change import add, weight_delta
from imprint.runs import Run
from imprint.types import Concept

log = logging.getLogger(__name__)
NAMED = 3  # misfits that a message names


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


def trained_model(
    run: Run,
    *,
    scale: Mapping[str, float],
    base: str | None = None,
    rank: int | None = None,
    weights: bool = True,
    quantised: bool = True,
    loading: Loading = WHOLE,
) -> Trained:
    """For generation and export. With `base`, the result is in the model there and not in the one it was trained from.
    With `rank`, it is cut to that; only results that hold several ranks can be. Without `weights`, those of the network
    are not read if the result lies beside them. Without `quantised`, they are as they are, though the run was trained
    on quantised ones. `loading` says in which precision the network is, and where; what is
    computed with weights before it can draw is computed in float32.

    Raises UserError if what the run was trained from has changed, or `base` does not fit.
    """
    source = source_of(run, scale=scale, sampler={}, base=base)
    if rank is not None:
        source.method.choose_rank(rank)
    needed = weights or source.method.replaces_weights
    added = base is not None and source.method.replaces_weights
    if added or any(strength != 1.0 for strength in scale.values()):
        loading = replace(loading, exact=source.method.changed_roles(source.facts))
    own_source = source.model if quantised else source.model.unquantised()
    model = own_source.load_as(loading) if needed else own_source.load_without_weights()
    if added:
        own = own_model(run, {}).unquantised().load()
        add(model, weight_delta(own, source.method, run.result).difference, scale)
        source.method.load_words(model, run.result)
    else:
        source.method.load(model, run.result, scale=scale)
    if loading.dtype != torch.float32:
        model.cast_frozen(loading.dtype)
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


def place_of(model: Mapping[str, Any]) -> str | None:
    """Where a model lies that is configured by a path, whichever folder a program is started in later."""
    source = str(model.get("source", ""))
    path = local_path(source) if source and not source.startswith(PACKAGE_PREFIX) else None
    return str(path) if path else None


def own_model(run: Run, sampler: Mapping[str, Any]) -> ModelSource:
    """The model that the run was trained from; if its path leads nowhere from here, at its place back then. Raises
    UserError if it is not there any more, or has changed."""
    manifest = run.read()
    node = _with_sampler(manifest.config.model, sampler)
    for source in _places(node.get("source"), manifest.model_place):
        model = _built(run, {**node, "source": source} if source else node)
        if model.facts().fingerprint == manifest.content.model:
            return model
    remedy = f"this is not the model any more that {run.folder.name} was trained from. Bring that one back."
    raise ConfigError([Problem("model.source", node.get("source"), remedy)])


def other_model(run: Run, base: str, sampler: Mapping[str, Any]) -> ModelSource:
    """The model at `base`, which has the shape of the run's own. Raises UserError, naming what does not fit."""
    model = _built(run, _with_sampler(run.read().config.model, sampler)).with_source(base)
    try:
        facts = model.facts()
    except UserError as error:
        raise type(error)(str(error).replace("model.source=", "base=")) from error
    try:
        own = own_model(run, sampler)
    except UserError as error:
        log.warning("The run's own model is not available: whether the result fits shows when it is loaded. %s", error)
        return model
    misfits = list(_misfits(own, model, adapters_alone=not method_of(run).replaces_weights))
    if own.facts().prediction != facts.prediction:
        misfits.insert(0, f"it predicts {facts.prediction}, the result was trained to predict {own.facts().prediction}")
    if misfits:
        more = f" and {len(misfits) - NAMED} more" if len(misfits) > NAMED else ""
        remedy = f"the result of {run.folder.name} does not fit this model: {'; '.join(misfits[:NAMED])}{more}."
        raise ConfigError([Problem("base", base, f"{remedy} Give one of the same kind as the run's own.")])
    return model


def _with_sampler(node: Mapping[str, Any], sampler: Mapping[str, Any]) -> dict[str, Any]:
    usual = node.get("sampler")
    return {**node, "sampler": {**usual, **sampler}} if sampler and isinstance(usual, Mapping) else dict(node)


def _places(source: str | None, place: str | None) -> list[str | None]:
    """Where the model may lie, the likeliest first."""
    if source is None or place is None or place == str(locate(source)) or not locate(place).exists():
        return [source]
    return [source, place] if locate(source).exists() else [place]


WORD_TABLES = ("token_embedding", "embed_tokens", "shared.")  # in the names of text encoders' weights


def _misfits(own: ModelSource, other: ModelSource, *, adapters_alone: bool) -> Iterator[str]:
    ours, theirs = own.meta_model(), other.meta_model()
    optional = ours.names.layout.optional if adapters_alone else ()
    for role, part in ours.roles.items():
        there = {name: tuple(weight.shape) for name, weight in theirs.roles[role].state_dict().items()}
        for name, weight in part.state_dict().items():
            shape = tuple(weight.shape)
            if name not in there and name.startswith(optional):
                continue
            if any(
                table in name for table in WORD_TABLES
            ):  # added words make it longer, which changes nothing for a result
                shape, there[name] = shape[1:], there.get(name, ())[1:]
            if there.get(name) != shape:
                yield f"{role}'s {name} is {_times(shape)} there, here {_times(there.get(name, ()))}"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "absent"


def _built(run: Run, node: Mapping[str, Any]) -> ModelSource:
    model: ModelSource = rebuilt(node, "model", ModelSource, manifest=run.manifest, trust=run.trust)
    return model
