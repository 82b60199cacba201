"""Hydra's overrides (`key=value`): how a text becomes one, and which of them cannot be.

What is wrong with an override by itself is said here, of all at once, before Hydra composes a configuration.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from imprint.config import choices
from imprint.errors import ConfigError, Problem, UserError
from imprint.suggestions import nearest

NOT_TEXT = frozenset({"null", "true", "false", "nan", "inf"})  # as values of overrides
SIMPLE = re.compile(r"[~+]*[\w@/.:-]+=[\w./:+%-]+", re.ASCII)  # what Hydra reads as it stands
GRAMMAR = ("[", "{", "'", '"')  # how values begin that are more than a text, beside calls of functions
SURROGATES = re.compile("[\udc80-\udcff]")  # how Python keeps bytes that are not of its encoding
MANY_DIGITS = re.compile(r"[+-]?\d+\.\d{6,}(e[+-]?\d+)?", re.IGNORECASE)


def quoted(text: str) -> str:
    """Any text, also somebody else's, as a value of an override: in quotes, unless it is a plain word, and without
    references, so that none is resolved."""
    if re.fullmatch(r"[A-Za-z_][\w-]*", text, re.ASCII) and text.lower() not in NOT_TEXT:
        return text
    return in_quotes(re.sub(r"(\\*)\$\{", lambda found: 2 * found[1] + r"\${", text))


def in_quotes(text: str) -> str:
    """Hydra takes a backslash as it is, unless a quote follows."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text) + "'"


def as_override(typed: str, *, texts: Collection[str], sweeps: bool) -> str:
    """What was typed, with quotes around a value that is a text and needs them. `texts` are keys whose values are
    sentences. Where the command `sweeps`, commas separate values."""
    key, equals, value = typed.partition("=")
    if not equals:
        return typed
    if key in texts and not value.startswith(("[", "'", '"')):
        return f"{key}={in_quotes(value)}"
    if value.startswith(GRAMMAR) or SIMPLE.fullmatch(typed) or _calls_function(value) or _parsed(typed)[0]:
        return typed
    parts = value.split(",") if sweeps else [value]
    return f"{key}={','.join(part if _parsed(f'{key}={part}')[0] else in_quotes(part) for part in parts)}"


def has_several(override: str) -> bool:
    """Whether it gives a key several values."""
    return (parsed := _parsed(override)[0]) is not None and parsed.is_sweep_override()


def check_letters(typed: Sequence[str]) -> None:
    """Raises UserError where the terminal's encoding lacks letters: a file that names such a path cannot be written."""
    if wrong := [text for text in (*typed, str(Path.cwd())) if SURROGATES.search(text)]:
        shown = wrong[0].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise UserError(
            f"{shown}: this terminal's encoding does not have these letters. Set LC_ALL=C.UTF-8, or the encoding that "
            "the name is in."
        )


def check_overrides(overrides: Sequence[str], *, sweeps: bool, own: Path | None = None) -> None:
    """Raises ConfigError with those that cannot be read, or choose what is not there. `own` is the folder of the user's
    own configurations."""
    only_hydra_knows = any(text.startswith("hydra.searchpath=") for text in overrides)  # what there is to choose
    folders = () if only_hydra_knows else (own,)
    if problems := [fault for text in overrides for fault in _faults(text, sweeps, folders)]:
        raise ConfigError(problems)


def _faults(text: str, sweeps: bool, own: Sequence[Path | None]) -> Iterator[Problem | str]:
    override, reason = _parsed(text)
    key = text.partition("=")[0]
    quotes = f"in quotes of its own, inside the shell's: \"{key}='...'\""
    if override is None:
        yield f"{text}: this cannot be read ({reason}). Write a text {quotes}."
    elif override.is_sweep_override() and not sweeps:
        yield f"{text}: several values are a grid, which needs -m. Write one value with a comma {quotes}."
    else:
        yield from (fault for folder in own for fault in _unknown_choices(override, folder))


def _unknown_choices(override: Override, own: Path | None) -> Iterator[Problem]:
    group = override.key_or_group
    there = [] if group.startswith("hydra/") else choices(group, own)  # of these, Hydra and its plugins have more
    if override.is_delete():
        if there and not isinstance(override.value(), str | None):
            yield Problem(f"~{group}", override.value(), f"~{group} leaves it out.")
        return
    for value in _values(override) if there else ():
        if not isinstance(value, str | dict):
            remedy = f"write {group}=none" if "none" in there else f"leave it out, or choose one: {', '.join(there)}"
            yield Problem(group, value, f"what a group is set to has a name; {remedy}.")
        elif isinstance(value, str) and value not in there:
            yield Problem(group, value, f"there is no such choice; {nearest(value, there)}")


def _values(override: Override) -> list[object]:
    if override.is_sweep_override():
        return list(override.sweep_string_iterator())
    value = override.value()
    return value if isinstance(value, list) else [value]


def _calls_function(value: str) -> bool:
    """One of Hydra's own, as in range(1,5)."""
    name, is_call, _ = value.partition("(")
    return bool(is_call) and name in create_functions().functions


def _parsed(text: str) -> tuple[Override | None, str]:
    """The override, or None and why Hydra cannot read it."""
    try:
        return OverridesParser.create().parse_override(text), ""
    except HydraException as error:
        reason = str(error).splitlines()[0]
        return None, "it has signs that need quotes" if reason.startswith("Lexer") else reason


def shortened(override: str) -> str:
    """For messages: a number with more digits than one reads, as a search draws it, has four of them."""
    key, equals, value = override.partition("=")
    return f"{key}{equals}{float(value):.4g}" if MANY_DIGITS.fullmatch(value) else override
