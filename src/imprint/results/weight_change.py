"""What a result changes of a model's weights: exactly as thin factors where it is that, and as a difference."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from imprint.errors import UserError
from imprint.methods.adapter_layers import layers, merge
from imprint.methods.base import Method
from imprint.models.base import Model, strength_of
from imprint.results.low_rank import Factors, LowRank, factors_in

Weights = Mapping[str, Mapping[str, Tensor]]  # role -> name -> weight


class Change(NamedTuple):
    """`low_rank` is None unless adapters of low rank are all there is to it. `difference` holds what differs."""

    low_rank: LowRank | None
    difference: Weights


@torch.no_grad()
def weight_delta(model: Model, method: Method, folder: Path) -> Change:
    """The change that the result of `method` in `folder` makes to `model`. Its weights are then what they were; words
    that the result teaches stay."""
    before = {role: {name: x.clone() for name, x in own.items()} for role, own in _weights(model).items()}
    method.load(model, folder, scale={})
    low_rank = _low_rank(model, before)
    for part in model.roles.values():
        merge(part, 1.0)
    difference: dict[str, dict[str, Tensor]] = {}
    for role, own in _weights(model).items():
        changed = {name: now for name, now in own.items() if name in before[role]}
        assert changed.keys() == before[role].keys(), "a result leaves the names of the weights as they were"
        moved = {name: now - old for name, now in changed.items() if not torch.equal(now, old := before[role][name])}
        for name in moved:
            changed[name].copy_(before[role][name])
        if moved:
            difference[role] = moved
    return Change(low_rank, difference)


@torch.no_grad()
def add(model: Model, difference: Weights, strengths: Mapping[str, float]) -> None:
    """Adds a difference, a strength a role. Raises UserError if the model has other weights."""
    own = _weights(model)
    wrong = [
        f"{role}'s {name} ({tuple(moved.shape)})"
        for role, moved_ones in difference.items()
        for name, moved in moved_ones.items()
        if name not in own[role] or own[role][name].shape != moved.shape
    ]
    if wrong:
        raise UserError(f"{len(wrong)} weights of the result do not fit this model: {', '.join(wrong[:3])} ...")
    for role, moved_ones in difference.items():
        for name, moved in moved_ones.items():
            own[role][name].add_(moved.to(own[role][name].device), alpha=strength_of(strengths, role))


def untouched(model: Model, differences: Iterable[Weights]) -> Weights:
    """Copies of the weights that the differences are of, as they are now."""
    own = _weights(model)
    kept: dict[str, dict[str, Tensor]] = {}
    for difference in differences:
        for role, moved in difference.items():
            kept.setdefault(role, {}).update({name: own[role][name].clone() for name in moved})
    return kept


@torch.no_grad()
def restore(model: Model, kept: Weights) -> None:
    own = _weights(model)
    for role, weights in kept.items():
        for name, weight in weights.items():
            own[role][name].copy_(weight)


def _weights(model: Model) -> dict[str, dict[str, Tensor]]:
    return {
        role: {name: weight.detach() for name, weight in part.named_parameters()} for role, part in model.roles.items()
    }


def _low_rank(model: Model, before: Weights) -> LowRank | None:
    found: dict[str, dict[str, Factors]] = {}
    now = _weights(model)
    for role, part in model.roles.items():
        for name, weight in now[role].items():
            plain = name.replace(".base_layer.", ".")
            if plain in before[role] and not torch.equal(weight, before[role][plain]):
                return None  # something beside the adapters has changed
        for name, layer in layers(part).items():
            factors = factors_in(layer)
            if factors is None:
                return None
            found.setdefault(role, {})[name] = factors
    return found or None
