"""The table of flags, typed."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml

SCRIPTS = ("diffusers", "kohya")  # those whose commands are translated


class Flag(NamedTuple):
    """`override` is for the flag alone; `together` shows what it comes to with others; `note` says why there is
    none."""

    override: str = ""
    together: str = ""
    note: str = ""

    @property
    def shown(self) -> str:
        return self.override.replace("{}", "...") or self.together


@cache
def flags() -> Mapping[str, Mapping[str, Flag]]:
    """By program and flag, without dashes."""
    content = yaml.safe_load((files("imprint.migration") / "flags.yaml").read_text(encoding="utf-8"))
    return {program: {name: _flag(said) for name, said in own.items()} for program, own in content.items()}


def advice(option: str, following: str) -> str | None:
    """What an option of another trainer's script is here, with its value, which may be the `following` argument; None
    for what is no such option."""
    if not option.startswith("--"):
        return None
    name, _, value = option.removeprefix("--").partition("=")
    value = value or ("" if following.startswith("-") else following)
    for program in SCRIPTS:
        if found := flags()[program].get(name.replace("-", "_")):
            if found.override:
                return found.override.replace("{}", value or "...")
            return found.together or found.note
    return None


def _flag(said: str | Mapping[str, str]) -> Flag:
    return Flag(override=said) if isinstance(said, str) else Flag(**said)
