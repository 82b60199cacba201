"""Texts with placeholders for the identifier and the class noun."""

import re
from collections.abc import Collection, Iterable
from string import Formatter

PLACEHOLDERS = ("identifier", "noun")
OF_A_SUBJECT = re.compile(rf"(?<!{{)\{{\w+\.({'|'.join(PLACEHOLDERS)})\}}")


def placeholders(names: Iterable[str]) -> list[str]:
    """The placeholders in a prompt about subjects of these names; a single subject has none."""
    return [*PLACEHOLDERS, *(f"{name}.{word}" for name in names if name for word in PLACEHOLDERS)]


def prompt_fault(prompt: str) -> str | None:
    """What is wrong with `prompt` whatever the subjects are called, if anything."""
    return template_fault(OF_A_SUBJECT.sub("", prompt))


def template_fault(template: str, known: Collection[str] = PLACEHOLDERS) -> str | None:
    """What is wrong with `template`, if anything: only the known placeholders are filled."""
    places = " and ".join(f"{{{name}}}" for name in known)
    try:
        fields = list(Formatter().parse(template))
    except ValueError as error:
        return f"{template!r}: {error}. Only {places} are replaced; write {{{{ or }}}} for a brace."
    for _, name, spec, conversion in fields:
        if name is not None and (name not in known or spec or conversion):
            return f"{template!r}: {{{name}}} is unknown. Only {places} are replaced."
    return None
