"""What several methods' settings must hold."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ConfigDict, PositiveFloat, PositiveInt
from typing_extensions import TypedDict

from imprint.errors import Problem
from imprint.models.base import ModelInfo
from imprint.templates import template_fault


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

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    lr: PositiveFloat


class PartSettings(RateSettings, total=False):
    """The same for adapters."""

    rank: PositiveInt
    alpha: PositiveFloat


def part_faults(by_role: Mapping[str, RateSettings], roles: Sequence[str]) -> Iterator[str]:
    for role in by_role:
        if role not in roles:
            remedy = f"{role} learns nothing, only {list(roles)} do. Name it in roles, or leave it out."
            yield f"by_role={dict(by_role)}: {remedy}"
