"""Results of runs as one LoRA: exactly, or as near as a rank allows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from imprint.errors import ConfigError, Problem, UserError
from imprint.models.base import Model, strength_of
from imprint.results.combine import changes, checked_results
from imprint.results.low_rank import Factors, LowRank, nearest, weighted_sum
from imprint.results.weight_change import Change
from imprint.runs import Run

Strengths = Mapping[str, float]  # by role


class Fit(NamedTuple):
    """How much of a change its updates of low rank hold."""

    relative_error: float  # |change - updates| / |change|, over all weights
    layers: int
    left_out: int  # weights that changed and that no adapter can hold: biases, norms, word vectors

    @property
    def energy(self) -> float:
        """The part of the sum of squares that is kept."""
        return 1 - self.relative_error**2

    def facts(self) -> dict[str, str]:
        """For the metadata of a file."""
        return {"relative_error": f"{self.relative_error:.6g}", "left_out": str(self.left_out)}

    def __str__(self) -> str:
        if self.relative_error == 0:
            return f"{self.layers} layers, exactly what was trained"
        kept = f"{self.layers} layers, relative error {self.relative_error:.3g}, {self.energy:.2%} of the energy kept"
        left = f"; {self.left_out} biases, norms or tables that no LoRA can hold are left out" if self.left_out else ""
        return f"{kept}{left}"


class ExtractedLora(NamedTuple):
    """Updates for the untuned `model`. Words that the results teach are in it."""

    model: Model
    updates: LowRank
    fit: Fit


def extract_lora(
    runs: Sequence[Run],
    *,
    weights: Sequence[float] | None,
    scale: Mapping[str, float],
    rank: int | None,
    format: str,
    base: str | None = None,
) -> ExtractedLora:
    """The weighted sum of what the runs learned: exactly (null), or the nearest of a rank.

    Raises UserError for what cannot be together, and where there is no exact one.
    """
    source, results = checked_results(runs, weights=weights, scale=scale, base=base)
    if rank is None and any(result.method.replaces_weights for result in results):
        raise _not_exact()
    if rank is not None and len(results) == 1 and results[0].method.has_ranks:
        results[0].method.choose_rank(rank)  # better than the nearest of the whole: it was trained to be used alone
        rank = None
    if format == "kohya" and not source.meta_model().names.has_kohya:
        remedy = "this model's layers have no names in kohya's scripts here. Choose format=comfyui or format=lora."
        raise ConfigError([Problem("format", format, remedy)])
    facts = source.facts()
    model = source.unquantised().load()  # what results change is added to the weights as they are
    weighed = [(change, result.strengths(scale, facts)) for result, change in changes(model, results, source)]
    if not any(change.difference for change, _ in weighed):
        raise UserError("These results changed nothing of the network: no LoRA holds words. Give format=embedding.")
    updates, fit = _exact(weighed) if rank is None else _approximate(weighed, rank, model.roles)
    return ExtractedLora(model, updates, fit)


def _exact(changes: Sequence[tuple[Change, Strengths]]) -> tuple[LowRank, Fit]:
    """The weighted sum, its ranks added up. Raises UserError if one of the changes is of no low rank."""
    if any(change.difference and change.low_rank is None for change, _ in changes):
        raise _not_exact()
    parts: dict[str, dict[str, list[tuple[Factors, float]]]] = {}
    for change, strengths in changes:
        for role, own in (change.low_rank or {}).items():
            for layer, factors in own.items():
                parts.setdefault(role, {}).setdefault(layer, []).append((factors, strength_of(strengths, role)))
    updates = {role: {layer: weighted_sum(of_layer) for layer, of_layer in own.items()} for role, own in parts.items()}
    return updates, Fit(0.0, _count(updates), 0)


def _not_exact() -> ConfigError:
    remedy = (
        "what was trained is no product of thin matrices (a whole network, DoRA). Give the rank of the nearest one: "
        "rank=64, and see the error that is reported."
    )
    return ConfigError([Problem("rank", None, remedy)])


def _approximate(
    changes: Sequence[tuple[Change, Strengths]], rank: int, roles: Mapping[str, nn.Module]
) -> tuple[LowRank, Fit]:
    """Of all sums of updates of this rank the nearest to the weighted sum, layer by layer."""
    updates: dict[str, dict[str, Factors]] = {}
    whole, missed, left_out = 0.0, 0.0, 0
    for role, sums in _sums(changes).items():
        for name, moved in sums.items():
            whole += _square(moved)
            layer, _, own = name.rpartition(".")
            if own != "weight" or not _holds_adapter(roles[role].get_submodule(layer)):
                missed += _square(moved)
                left_out += 1
                continue
            factors = nearest(moved.flatten(1), rank)
            updates.setdefault(role, {})[layer] = factors
            missed += _square(moved.flatten(1) - factors.up_OR @ factors.down_RI)
    return updates, Fit((missed / whole) ** 0.5 if whole else 0.0, _count(updates), left_out)


def _sums(changes: Sequence[tuple[Change, Strengths]]) -> dict[str, dict[str, Tensor]]:
    sums: dict[str, dict[str, Tensor]] = {}
    for change, strengths in changes:
        for role, own in change.difference.items():
            for name, moved in own.items():
                before = sums.setdefault(role, {}).get(name)
                weighted = moved * strength_of(strengths, role)
                sums[role][name] = weighted if before is None else before + weighted
    return sums


def _holds_adapter(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)


def _square(values: Tensor) -> float:
    return float(values.double().square().sum())


def _count(updates: LowRank) -> int:
    return sum(len(own) for own in updates.values())
