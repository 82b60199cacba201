"""Which settings a table of runs has columns for."""

from collections.abc import Mapping, Sequence

from imprint.reporting.labels import differing, is_short, telling

MOST = 5  # columns, where nobody said which settings are looked at
OF_LOOKING = ("evaluation", "watch", "samples")  # settings that say how runs are looked at


def setting_columns(settings: Sequence[Mapping[str, str]], axes: Sequence[str] = ()) -> list[str]:
    """The axes of a sweep; else what tells runs apart. Then other short ones that all runs have and that say something
    new."""
    known = [each for each in settings if each]
    keys = [key for key in axes if key in differing(settings)] or telling(settings)
    for key in differing(settings):
        everywhere = all(key in each for each in known) and key.partition(".")[0] not in OF_LOOKING
        said = any(_follows(known, key, other) for other in keys)
        if len(keys) < MOST and everywhere and is_short(known, key) and not said:
            keys.append(key)
    return keys


def _follows(settings: Sequence[Mapping[str, str]], key: str, other: str) -> bool:
    """Whether a setting is known from another one of the same part: the class from the subject."""
    pairs = {(each.get(other), each.get(key)) for each in settings}
    changes_together = len(pairs) == len({each.get(other) for each in settings})
    back = len(pairs) == len({each.get(key) for each in settings})
    same_part = "." in key and key.partition(".")[0] == other.partition(".")[0]
    return changes_together and (back or same_part)
