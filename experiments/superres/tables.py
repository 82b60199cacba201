"""What pictures.csv comes to: gains over the untuned upscaler, and the comparisons that the claims are about."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import NamedTuple

import numpy as np
from points import METHODS, SUBJECTS, Point

from imprint.evaluation.statistics.comparing import sign_flip_p
from imprint.evaluation.statistics.crossing import table_of_differences
from imprint.evaluation.statistics.intervals import difference_interval

UNTUNED = "untuned"
REGIONS = ("whole", "subject", "engraving", "low")
DRAWS = 10_000


class Way(NamedTuple):
    """How upscalers were tuned, and what they enlarge."""

    method: str
    level: str
    low_side: str
    test_side: str
    region: str


Scene = tuple[str, str]  # who is shown, and the scene's number
Gains = dict[
    Way, dict[str, dict[Scene, float]]
]  # by whom the upscaler was tuned on; in dB, averaged over training seeds


def gains_of(rows: Sequence[Mapping[str, str]], points: Mapping[str, Point]) -> Gains:
    floor = {
        (row["run"], row["shown"], row["test_side"], row["scene"]): row for row in rows if row["run"] not in points
    }
    found: dict[Way, dict[str, dict[Scene, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in rows:
        if (point := points.get(row["run"])) is None:
            continue
        untuned = floor[f"{UNTUNED}-{point.level}", row["shown"], row["test_side"], row["scene"]]
        for region in REGIONS:
            if row[region] and untuned[region]:
                way = Way(point.method, str(point.level), point.low_side, row["test_side"], region)
                gain = float(row[region]) - float(untuned[region])
                found[way][point.subject][row["shown"], row["scene"]].append(gain)
    return {
        way: {subject: {scene: mean(values) for scene, values in each.items()} for subject, each in parts.items()}
        for way, parts in found.items()
    }


def report(gains: Gains) -> str:
    return "\n".join([*_table_of_gains(gains), "", *_table_of_comparisons(gains)]) + "\n"


def _table_of_gains(gains: Gains) -> Iterator[str]:
    """A line for each way of tuning and low side of the test: what it gains over the untuned upscaler, and how sure."""
    yield "| method | level | tuned on | enlarged | region | its subject, dB | p | others, dB |"
    yield "|---|---|---|---|---|---|---|---|"
    for way, parts in sorted(gains.items()):
        own, others = (_shown(parts, own=own) for own in (True, False))
        p = f"{_p([mean(each.values()) for each in own.values()]):.3f}" if own else ""
        yield "| " + " | ".join([*way, _told(own), p, _told(others)]) + " |"


def _table_of_comparisons(gains: Gains) -> Iterator[str]:
    """Paired, subject by subject."""
    yield "| method | region | compared | dB | p |"
    yield "|---|---|---|---|---|"
    for method in METHODS:
        for region in ("engraving", "subject"):
            plain = Way(method, "0", "photo", "photo", region)
            compared = {
                "level 0, photos: tuned on the subject, less tuned on others, same scenes": _beyond_control(
                    gains, plain
                ),
                "photos: level 0 less level 100": _less(gains, plain, plain._replace(level="100")),
            }
            for level in ("0", "20", "100"):
                by_photos = plain._replace(level=level, test_side="autoencoder")
                name = f"level {level}, through the autoencoder: tuned on such pairs, less tuned on photos"
                compared[name] = _less(gains, by_photos._replace(low_side="autoencoder"), by_photos)
            for name, values in compared.items():
                if len(values) > 1:
                    yield f"| {method} | {region} | {name} | {mean(values):+.2f} | {_p(values):.3f} |"


def _beyond_control(gains: Gains, way: Way) -> list[float]:
    parts = gains.get(way, {})
    found = []
    for subject in SUBJECTS:
        control: dict[Scene, list[float]] = defaultdict(list)
        for tuned_on, each in parts.items():
            for scene, gain in each.items():
                if tuned_on != subject == scene[0]:
                    control[scene].append(gain)
        own = {scene: gain for scene, gain in parts.get(subject, {}).items() if scene in control}
        if own:
            found.append(mean(own.values()) - mean(gain for values in control.values() for gain in values))
    return found


def _less(gains: Gains, first: Way, second: Way) -> list[float]:
    one, other = (_shown(gains.get(way, {}), own=True) for way in (first, second))
    return [mean(one[subject].values()) - mean(other[subject].values()) for subject in one if subject in other]


def _shown(parts: Mapping[str, Mapping[Scene, float]], *, own: bool) -> dict[str, dict[Scene, float]]:
    """Of the subject that an upscaler was tuned on, or of all others."""
    picked = {
        subject: {scene: gain for scene, gain in each.items() if (scene[0] == subject) == own}
        for subject, each in parts.items()
    }
    return {subject: each for subject, each in picked.items() if each}


def _p(values: Sequence[float]) -> float:
    return sign_flip_p(np.array(values))


def _told(differences: Mapping[str, Mapping[Scene, float]]) -> str:
    if not differences:
        return ""
    centre = mean(mean(each.values()) for each in differences.values())
    interval = difference_interval(table_of_differences(differences), centre=centre, draws=DRAWS, seed=0)
    return f"{centre:+.2f}" + (f" ({interval.low:+.2f} to {interval.high:+.2f})" if interval else "")
