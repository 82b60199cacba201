"""Texts with places for the identifier and the class noun."""

from collections.abc import Collection
from string import Formatter

PLACEHOLDERS = ("identifier", "noun")


def template_fault(template: str, known: Collection[str] = PLACEHOLDERS) -> str | None:
    """What is wrong with `template`, if anything: only the known places are filled."""
    places = " and ".join(f"{{{name}}}" for name in known)
    try:
        fields = list(Formatter().parse(template))
    except ValueError as error:
        return f"{template!r}: {error}. Only {places} are replaced; write {{{{ or }}}} for a brace."
    for _, name, spec, conversion in fields:
        if name is not None and (name not in known or spec or conversion):
            return f"{template!r}: {{{name}}} is unknown. Only {places} are replaced."
    return None
