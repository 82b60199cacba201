"""What to call a run among others: by the few settings that tell it from them."""

from collections.abc import Mapping, Sequence
from typing import Any

# These say where and how a run was made, not what it is.
UNTOLD = ("report", "trainer", "hydra", "outputs", "name")
LABEL_KEYS = 3

Settings = Mapping[str, Any]


def differing(settings: Sequence[Settings]) -> list[str]:
    """The settings that tell runs apart, in the order in which they are configured. Runs without any are left out."""
    known = [each for each in settings if each]
    keys = dict.fromkeys(key for each in known for key in each)
    candidates = (key for key in keys if key.partition(".")[0] not in UNTOLD)
    return [key for key in candidates if len({str(each.get(key)) for each in known}) > 1]


def telling(settings: Sequence[Settings]) -> list[str]:
    """The fewest settings that tell most runs apart; what a part is rather than one of its numbers."""
    keys: list[str] = []
    left = differing(settings)
    while left and len(keys) < LABEL_KEYS and _kinds(settings, keys) < len(settings):
        best = max(left, key=lambda key: (_kinds(settings, [*keys, key]), "." not in key))
        keys.append(best)
        left.remove(best)
    return keys


def headings(keys: Sequence[str]) -> dict[str, str]:
    """The last word of each key, or all of it where others end alike."""
    last = {key: key.rpartition(".")[2].replace("_", " ") for key in keys}
    return {key: word if list(last.values()).count(word) == 1 else key for key, word in last.items()}


def told(settings: Settings, keys: Sequence[str]) -> str:
    """`rank 4, lr 0.0001`."""
    words = headings(keys)
    return ", ".join(f"{words[key]} {settings[key]}" for key in keys if key in settings)


def _kinds(settings: Sequence[Settings], keys: Sequence[str]) -> int:
    return len({tuple(str(each.get(key)) for key in keys) for each in settings})
