"""What several methods' settings must hold."""

from collections.abc import Iterator, Sequence

from imprint.errors import Problem
from imprint.families.base import Facts
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


def unknown_roles(roles: Sequence[str], facts: Facts) -> Iterator[Problem]:
    for role in roles:
        if role not in facts.roles:
            yield Problem("roles", roles, f"this model has no part {role!r}; it has {list(facts.roles)}.")
