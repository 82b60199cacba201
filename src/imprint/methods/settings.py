"""Settings that several methods have: which parts and layers learn, at which rates, and what is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, get_args

from annotated_types import Ge, Lt
from pydantic import ConfigDict, PositiveFloat
from torch import nn
from typing_extensions import TypedDict

from imprint.errors import Problem
from imprint.models.base import Model
from imprint.models.facts import ModelInfo
from imprint.templates import template_fault

Kind = Literal[
    "attention",
    "cross_attention",
    "keys_and_values",
    "feed_forward",
    "convolutions",
    "text_stream",
    "single_stream",
    "modulation",
]
Selection = Literal["all", "bias_norm"] | Kind | list[Kind]
Rank = Annotated[int, Ge(1), Lt(2**31)]  # libraries count in 64 bits, and multiply it
NORMALISATION = (nn.GroupNorm, nn.LayerNorm)


def role_faults(roles: Sequence[str]) -> Iterator[str]:
    if not roles:
        yield "roles=[]: nothing would learn. Name at least one part, for instance [denoiser]."
    if len(set(roles)) < len(roles):
        yield f"roles={roles}: name each part once."


def template_faults(templates: Sequence[str]) -> Iterator[str]:
    if not templates:
        yield 'templates=[]: give at least one, for instance "a {identifier} {noun}".'
    for template in templates:
        if fault := template_fault(template):
            yield f"templates has {fault}"


def missing_layers(
    key: str, value: object, kinds: Sequence[str], roles: Sequence[str], facts: ModelInfo
) -> Iterator[Problem]:
    """Of `roles`, those parts of the model that have no layer of any of these kinds."""
    for role in roles:
        there = facts.adapter_kinds.get(role, ())
        if role in facts.roles and not set(kinds) & set(there):
            yield Problem(key, value, f"{role} has none of these layers. It has {', '.join(there) or 'none'}.")


def under(key: str, problems: Iterator[Problem | str]) -> Iterator[Problem | str]:
    """The problems of a part, by keys of the whole."""
    for problem in problems:
        yield problem._replace(key=f"{key}.{problem.key}") if isinstance(problem, Problem) else problem


def unknown_roles(roles: Sequence[str], facts: ModelInfo) -> Iterator[Problem]:
    for role in roles:
        if role not in facts.roles:
            yield Problem("roles", roles, f"this model has no part {role!r}; it has {list(facts.roles)}.")


class RateSettings(TypedDict, total=False):
    """What a part has of its own; of what it does not name, it has the method's."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)  # type: ignore[misc]

    lr: PositiveFloat


class PartSettings(RateSettings, total=False):
    """The same for adapters."""

    rank: Rank
    alpha: PositiveFloat


def part_faults(by_role: Mapping[str, RateSettings], roles: Sequence[str]) -> Iterator[str]:
    for role in by_role:
        if role not in roles:
            remedy = f"{role} learns nothing, only {list(roles)} do. Name it in roles, or leave it out."
            yield f"by_role={dict(by_role)}: {remedy}"


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
