"""What to call a run among others: by the few settings that tell it from them."""

from collections.abc import Mapping, Sequence
from typing import Any

# These say where and how a run was made, not what it is.
UNTOLD = ("report", "trainer", "hydra", "outputs", "name", "sweep", "dry_run")
LABEL_KEYS = 3
SHORT = 24  # characters that a value may have beside others

Settings = Mapping[str, Any]


def differing(settings: Sequence[Settings]) -> list[str]:
    """The settings that tell runs apart, in the order in which they are configured. Runs without any are left out."""
    known = [each for each in settings if each]
    keys = dict.fromkeys(key for each in known for key in each)
    candidates = (key for key in keys if key.partition(".")[0] not in UNTOLD)
    return [key for key in candidates if len({str(each.get(key)) for each in known}) > 1]


def telling(settings: Sequence[Settings]) -> list[str]:
    """A few settings that tell most runs apart: which parts they are made of, then numbers; rather short ones."""
    keys: list[str] = []
    while len(keys) < LABEL_KEYS:
        kinds = {key: _kinds(settings, [*keys, key]) for key in differing(settings)}
        new = [key for key, count in kinds.items() if count > _kinds(settings, keys)]
        if not new:
            break
        keys.append(max(new, key=lambda key: ("." not in key, kinds[key], is_short(settings, key))))
    return keys


def headings(keys: Sequence[str]) -> dict[str, str]:
    """The last word of each key, or all of it where others end alike."""
    last = {key: key.rpartition(".")[2].replace("_", " ") for key in keys}
    return {key: word if list(last.values()).count(word) == 1 else key for key, word in last.items()}


def told(settings: Settings, keys: Sequence[str]) -> str:
    """`rank 4, lr 0.0001`."""
    words = headings(keys)
    return ", ".join(f"{words[key]} {short(settings[key])}" for key in keys if key in settings)


def short(value: object) -> str:
    """As much of a value as is read at a glance: the end of a path, the beginning of anything else."""
    text = str(value)
    if len(text) <= SHORT:
        return text
    last = text.rpartition("/")[2]
    if "/" in text and " " not in text and last:
        return f"\N{HORIZONTAL ELLIPSIS}/{last[: SHORT - 2]}"
    return f"{text[: SHORT - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def is_short(settings: Sequence[Settings], key: str) -> bool:
    """Whether no run's value needs to be shortened."""
    return all(len(str(each.get(key, ""))) <= SHORT for each in settings)


def _kinds(settings: Sequence[Settings], keys: Sequence[str]) -> int:
    return len({tuple(str(each.get(key)) for key in keys) for each in settings})
