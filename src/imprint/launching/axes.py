"""The points that a command asks for."""

import hashlib
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override

from imprint.composing import Composer
from imprint.errors import ConfigError, Problem
from imprint.libraries.hydra import combinations

POINTS = "hydra.sweeper.points"
LONGEST_NAME = 40  # letters of the axes


class Asked(NamedTuple):
    """One point: all that is set for it, and of this what tells it from the others."""

    overrides: tuple[str, ...]
    told: tuple[str, ...]


def asked(composer: Composer, arguments: Sequence[str], listed: Sequence[Any]) -> list[Asked]:
    """The combinations of the axes, for each of the listed points. Of two arguments about one key the later one counts.

    Raises ConfigError where the arguments and a listed point set the same key.
    """
    given = list({override.get_key_element(): override for override in composer.parse(arguments)}.values())
    lists = [_words(point) for point in listed] or [[]]
    parsed = [composer.parse(point) for point in lists]
    if problems := list(_twice(given, parsed)):
        raise ConfigError(problems)
    axes = {override.get_key_element() for override in given if override.is_sweep_override()}
    found = []
    for own in parsed:
        keys = axes | {override.get_key_element() for override in own}
        for point in combinations([*own, *given]):
            found.append(Asked(tuple(point), tuple(text for text in point if _key(text) in keys)))
    return found


def name_of(points: Sequence[Asked], runs: Sequence[str]) -> str:
    """Says what the points differ in, and is the same whenever they come to the same runs."""
    differing = dict.fromkeys(_key(text).lstrip("+").rpartition(".")[2] for point in points for text in point.told)
    words = "-".join(name.replace("/", "_") for name in differing)[:LONGEST_NAME]
    digest = hashlib.sha256(" ".join(sorted(runs)).encode()).hexdigest()[:6]
    return f"{words or 'one'}-{digest}"


def _words(point: Any) -> list[str]:
    return shlex.split(point) if isinstance(point, str) else [str(part) for part in point]


def _key(text: str) -> str:
    return text.partition("=")[0]


def _twice(given: Iterable[Override], listed: Sequence[Sequence[Override]]) -> Iterable[Problem]:
    keys = {override.get_key_element(): override for override in given}
    for key in dict.fromkeys(override.get_key_element() for point in listed for override in point):
        if key in keys:
            value = str(keys[key].input_line).partition("=")[2]
            yield Problem(key, value, f"the points of {POINTS} set it, too. Leave it out of one of them.")
