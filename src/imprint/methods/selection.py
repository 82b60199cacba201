"""Which of a network's own weights learn."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from torch import nn

from imprint.methods.adapters import Kind
from imprint.models.base import Model

Selection = Literal["all", "bias_norm"] | Kind | list[Kind]
NORMALISATION = (nn.GroupNorm, nn.LayerNorm)


def kinds_of(selection: Selection) -> list[Kind]:
    """The kinds of layers that are asked for; none for all weights, or for those that no kind of layer has."""
    asked = [selection] if isinstance(selection, str) else selection
    return [kind for kind in get_args(Kind) if kind in asked]


def selected(model: Model, role: str, selection: Selection) -> dict[str, nn.Parameter]:
    """Weights of a part, by name: all, biases and normalisations, or those of the layers of some kinds."""
    part = model.roles[role]
    if selection == "all":
        return dict(part.named_parameters())
    if selection == "bias_norm":
        return dict(_biases_and_normalisations(part))
    endings = tuple(name for kind in kinds_of(selection) for name in model.adapter_targets[role].get(kind, ()))
    return dict(_of_layers(part, endings))


def _biases_and_normalisations(part: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    for name, parameter in part.named_parameters():
        owner, _, own = name.rpartition(".")
        if own == "bias" or isinstance(part.get_submodule(owner), NORMALISATION):
            yield name, parameter


def _of_layers(part: nn.Module, endings: Sequence[str]) -> Iterator[tuple[str, nn.Parameter]]:
    for name, parameter in part.named_parameters():
        layer = f".{name.rpartition('.')[0]}"
        if layer.endswith(tuple(f".{ending}" for ending in endings)):
            yield name, parameter
