"""Several results in one model."""

import string
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import torch

from imprint.errors import ConfigError, Problem
from imprint.methods.base import Method, scale_key
from imprint.models.base import Model, ModelSource, strength_of
from imprint.models.facts import ModelInfo
from imprint.models.loading import WHOLE, Loading
from imprint.results.load import method_of, other_model, own_model, trained_model
from imprint.results.weight_change import Change, add, restore, untouched, weight_delta
from imprint.runs import Run
from imprint.types import Concept

PROBE = 0.5  # a strength other than 1, to ask which are possible


class Result(NamedTuple):
    run: Run
    method: Method
    weight: float

    def strengths(self, scale: Mapping[str, float], facts: ModelInfo) -> dict[str, float]:
        """By role, for the parts that have a strength."""
        return {role: self.weight * strength_of(scale, role) for role in facts.roles if has_strength(self.method, role)}


def combined_model(
    runs: Sequence[Run],
    *,
    weights: Sequence[float] | None,
    scale: Mapping[str, float],
    base: str | None = None,
    rank: int | None = None,
    loading: Loading = WHOLE,
) -> tuple[Model, tuple[Concept, ...]]:
    """The model with the results of all runs in it, each as strong as its weight; null weighs each 1. `loading` is as
    in `trained_model`.

    Raises UserError, before loading, for what cannot be together.
    """
    source, results = checked_results(runs, weights=weights, scale=scale, base=base)
    if len(runs) == 1 and results[0].weight == 1.0:
        model, concepts, _ = trained_model(runs[0], scale=scale, base=base, rank=rank, loading=loading)
        return model, concepts
    if rank is not None:
        for result in results:
            result.method.choose_rank(rank)
    model = CombinedModel(source, results).at(weights, scale)
    if loading.dtype != torch.float32:
        model.cast_frozen(loading.dtype)
    return model, named_apart([run.concepts for run in runs])


class CombinedModel:
    """A loaded model that results can be put into at one strength after another."""

    def __init__(self, source: ModelSource, results: Sequence[Result]) -> None:
        """Of what `checked_results` returns."""
        self._results = results
        self._facts = source.facts()
        self.model = source.unquantised().load()
        self._changes = {result.run.folder: change for result, change in changes(self.model, self._results, source)}
        self._untuned = untouched(self.model, [change.difference for change in self._changes.values()])

    def at(self, weights: Sequence[float] | None, scale: Mapping[str, float]) -> Model:
        """The model with the results at these strengths, which `checked_results` has found possible."""
        restore(self.model, self._untuned)
        for result, weight in zip(self._results, weights or [1.0] * len(self._results), strict=True):
            strengths = result._replace(weight=weight).strengths(scale, self._facts)
            add(self.model, self._changes[result.run.folder].difference, strengths)
        return self.model


def checked_results(
    runs: Sequence[Run], *, weights: Sequence[float] | None, scale: Mapping[str, float], base: str | None
) -> tuple[ModelSource, list[Result]]:
    """The one model that all results go into, and what they are. Cheap."""
    if weights is not None and len(weights) != len(runs):
        raise ConfigError([Problem("weights", list(weights), f"give one for each of the {len(runs)} runs.")])
    if len({run.folder.resolve() for run in runs}) < len(runs):
        raise ConfigError([Problem("run", [run.folder.name for run in runs], "name each run once.")])
    results = [Result(*parts) for parts in zip(runs, map(method_of, runs), weights or [1.0] * len(runs), strict=True)]
    if problems := [*_conflicts(results, base), *_scale_problems(results, scale)]:
        raise ConfigError(problems)
    models = [own_model(run, {}) if base is None else other_model(run, base, {}) for run in runs]
    facts = models[0].facts()
    if problems := [*_weightless(results, facts)]:
        raise ConfigError(problems)
    return models[0], results


def changes(model: Model, results: Sequence[Result], source: ModelSource) -> list[tuple[Result, Change]]:
    """What each result changes of an untuned `model` of `source`. The words that they teach stay in it."""
    found = []
    # one that replaces the network is read before any word is in it
    for result in sorted(results, key=lambda result: not result.method.replaces_weights):
        own = own_model(result.run, {}) if result.method.replaces_weights else source
        same = own is source or own.facts().fingerprint == source.facts().fingerprint
        found.append(
            (result, weight_delta(model if same else own.unquantised().load(), result.method, result.run.result))
        )
        if not same:
            result.method.load_words(model, result.run.result)
    return found


def named_apart(taught: Sequence[Sequence[Concept]]) -> tuple[Concept, ...]:
    """All concepts once, each with a name for prompts that mean several: {a.identifier}, {b.identifier}."""
    concepts = list(dict.fromkeys(concept for own in taught for concept in own))
    free = iter(letter for letter in string.ascii_lowercase if letter not in {concept.name for concept in concepts})
    return tuple(concept if concept.name else concept._replace(name=next(free)) for concept in concepts)


def has_strength(method: Method, role: str) -> bool:
    return method.replaces_weights or not any(method.scale_problems({role: PROBE}))


def _conflicts(results: Sequence[Result], base: str | None) -> Iterator[Problem]:
    names = [result.run.folder.name for result in results]
    whole = [result.run.folder.name for result in results if result.method.replaces_weights]
    if len(whole) > 1:
        remedy = (
            "each of these is a whole network, and only one can be the network. Make a LoRA of all but one (imprint "
            "export format=lora rank=64), adopt it (imprint adopt), and give that."
        )
        yield Problem("run", whole, remedy)
    models = {result.run.read().content.model for result in results}
    if base is None and len(models) > 1:
        remedy = "they were trained from different models. Say which one to use them on: base=..."
        yield Problem("run", names, remedy)
    for one, other in combinations(results, 2):
        for word in sorted(_words(one) & _words(other)):
            if _learned(one) or _learned(other) or _pictures(one) != _pictures(other):
                remedy = (
                    f"{one.run.folder.name} and {other.run.folder.name} both call their subject so. Train one of them "
                    "again with another dataset.identifier, or use them one at a time."
                )
                yield Problem("dataset.identifier", word, remedy)


def _weightless(results: Sequence[Result], facts: ModelInfo) -> Iterator[Problem]:
    for result in results:
        if result.weight != 1.0 and not any(has_strength(result.method, role) for role in facts.roles):
            remedy = f"{result.run.folder.name} teaches a word, which has no strength to choose. Leave its weight at 1."
            yield Problem("weights", result.weight, remedy)


def _scale_problems(results: Sequence[Result], scale: Mapping[str, float]) -> Iterator[Problem]:
    """A strength must be one that at least one of the results has."""
    for role, strength in scale.items():
        if strength != 1.0 and not any(has_strength(result.method, role) for result in results):
            yield Problem(scale_key(role), strength, "none of these runs taught anything to that part. Leave it at 1.")


def _words(result: Result) -> set[str]:
    return {concept.identifier for concept in result.run.concepts}


def _learned(result: Result) -> bool:
    return "words" in result.run.read().trained_parameters


def _pictures(result: Result) -> str:
    return str(result.run.read().content.dataset)
