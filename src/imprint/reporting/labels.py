"""Labels of runs among others, and the settings that have columns in a table of runs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

# Settings of where and how a run is carried out, without influence on its result.
NO_SETTINGS = ("report", "trainer", "hydra", "outputs", "name", "sweep", "dry_run")
LABEL_KEYS = 3
SHORT = 24  # characters that a value may have beside others
MOST = 5  # columns, where no axes are given
OF_EVALUATION = ("evaluation", "watch", "samples")  # settings of how runs are scored
# What people compare runs by. These come first, also where some methods have none.
USUAL = (
    *("dataset.subject", "method", "method.lr", "method.rank", "prior"),
    *("hparams.steps", "hparams.batch_size"),
)
# How a data set is read, which says nothing of a run among others.
INTERNAL = ("dataset", "dataset.nouns")
SELF_EXPLAINING = ("dataset.subject", "method")  # their values need no word before them
NONE = "none"  # a choice that leaves a part out
DIGITS = 4  # of a number among others

Settings = Mapping[str, Any]


def differing(settings: Sequence[Settings]) -> list[str]:
    """The settings in which runs differ, in the order of the configuration. Runs without any are left out."""
    known = [each for each in settings if each]
    keys = dict.fromkeys(key for each in known for key in each)
    candidates = (key for key in keys if key.partition(".")[0] not in NO_SETTINGS)
    return [key for key in candidates if len({str(each.get(key)) for each in known}) > 1]


def distinguishing(settings: Sequence[Settings]) -> list[str]:
    """A few settings that distinguish most runs: choices of parts first, then numbers; preferably usual and short
    ones. How runs are scored comes last."""
    keys: list[str] = []
    while len(keys) < LABEL_KEYS:
        kinds = {key: _kinds(settings, [*keys, key]) for key in differing(settings) if key not in INTERNAL}
        new = [key for key, count in kinds.items() if count > _kinds(settings, keys)]
        new = [key for key in new if key.partition(".")[0] not in OF_EVALUATION] or new
        if not new:
            break
        keys.append(max(new, key=lambda key: ("." not in key, kinds[key], key in USUAL, is_short(settings, key))))
    return sorted(keys, key=_place)


def _place(key: str) -> int:
    return USUAL.index(key) if key in USUAL else len(USUAL)


def headings(keys: Sequence[str]) -> dict[str, str]:
    """The last word of each key, or all of it where others end alike."""
    last = {key: key.rpartition(".")[2].replace("_", " ") for key in keys}
    return {key: word if list(last.values()).count(word) == 1 else key for key, word in last.items()}


def label_text(settings: Settings, keys: Sequence[str]) -> str:
    """`lora, lr 0.0001, rank 4, no prior`."""
    words = headings(keys)
    return ", ".join(_told(key, words[key], short(settings[key])) for key in keys if key in settings)


def _told(key: str, word: str, value: str) -> str:
    if key == "method":
        return value.replace("_", " ")
    if key in SELF_EXPLAINING:
        return value
    return f"no {word}" if value == NONE else f"{word} {value}"


def short(value: object) -> str:
    """As much of a value as is read at a glance: a few digits, the end of a path, the beginning of anything else."""
    text = str(value)
    if re.fullmatch(r"-?\d*\.\d+(e-?\d+)?", text):
        return f"{float(text):.{DIGITS}g}" if len(text) > 2 * DIGITS else text
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


def setting_columns(settings: Sequence[Mapping[str, str]], axes: Sequence[str] = ()) -> list[str]:
    """The axes of a sweep, else those of a label. Then the usual ones, and other short ones that all runs have and that
    do not follow from these."""
    known = [each for each in settings if each]
    own = [key for key in differing(settings) if key not in INTERNAL]
    named = [key for key in axes if key in differing(settings)]
    keys = named or distinguishing(settings)
    for key in sorted(own, key=_place):
        everywhere = all(key in each for each in known) and key.partition(".")[0] not in OF_EVALUATION
        is_usual = key in USUAL and not any(key.startswith(f"{axis}.") for axis in named)
        is_redundant = any(_follows(known, key, other) for other in keys)
        is_other = len(keys) < MOST and everywhere and is_short(known, key) and not is_redundant
        if key not in keys and (is_usual or is_other):
            keys.append(key)
    return keys if named else sorted(keys, key=_place)


def _follows(settings: Sequence[Mapping[str, str]], key: str, other: str) -> bool:
    """Whether a setting is known from another one of the same part: the class from the subject."""
    pairs = {(each.get(other), each.get(key)) for each in settings}
    changes_together = len(pairs) == len({each.get(other) for each in settings})
    back = len(pairs) == len({each.get(key) for each in settings})
    same_part = "." in key and key.partition(".")[0] == other.partition(".")[0]
    return changes_together and (back or same_part)
