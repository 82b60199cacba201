"""What a report knows of a sweep's points: their runs, and what is known of those that have not begun."""

from collections.abc import Collection, Mapping, Sequence

from imprint.reporting.record import RunRecord, read_run
from imprint.sweeps import Point

WORDS = {"true": "True", "false": "False", "null": "None"}  # of a command, and as a configuration's values are told


def axes(points: Sequence[Point]) -> list[str]:
    """The keys that are set differently, in the order in which they are set."""
    given = [_given(point.overrides) for point in points]
    keys = dict.fromkeys(key for own in given for key in own)
    return [key for key in keys if len({own.get(key) for own in given}) > 1]


def records_of(points: Sequence[Point]) -> list[RunRecord]:
    """One for each point, in their order. What is chosen on an axis is told by the word that was given for it.

    Settings of a run that has not begun are those that all others have in common, and its own on the axes.
    """
    records = [read_run(point.run)._replace(overrides=point.overrides) for point in points]
    begun = [record.settings for record in records if record.settings]
    common = _common(begun)
    keys = axes(points)
    parts = {key for key in keys if any(_is_part(key, settings) for settings in begun)}
    return [
        record._replace(settings={**record.settings, **_only(parts, _given(record.overrides))})
        if record.settings
        else record._replace(settings={**common, **_only(keys, _given(record.overrides))})
        for record in records
    ]


def _given(overrides: Sequence[str]) -> dict[str, str]:
    pairs = (override.lstrip("+~").partition("=") for override in overrides)
    return {key: _value(text) for key, _, text in pairs}


def _value(text: str) -> str:
    """As the configuration tells it: 1e-4 is 0.0001."""
    text = text.strip().strip("'\"")
    for number in (int, float):
        try:
            return str(number(text))
        except ValueError:
            continue
    return WORDS.get(text, text)


def _common(settings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first = settings[0] if settings else {}
    return {key: value for key, value in first.items() if all(own.get(key) == value for own in settings)}


def _is_part(key: str, settings: Mapping[str, str]) -> bool:
    """Whether a word is chosen for it (`method=lora`), which stands for a class and its settings, or for several."""
    return key not in settings or any(other.startswith(f"{key}.") for other in settings)


def _only(keys: Collection[str], given: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in given.items() if key in keys}
