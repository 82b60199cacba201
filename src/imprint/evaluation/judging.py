"""Measures what lies there, row by row."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from imprint.errors import UserError
from imprint.evaluation.averaging import scored
from imprint.evaluation.profile import Profile
from imprint.evaluation.records import Evidence, Features, Photo, Shot
from imprint.evaluation.sheet import Row, Scored
from imprint.types import Concept

log = logging.getLogger(__name__)

Shots = Mapping[str, Sequence[Shot]]  # by set


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all rows of a subject are judged beside."""

    profile: Profile
    subject: str
    concept: Concept
    untuned: Shots
    photos: Sequence[Photo]
    class_photos: Sequence[Photo]
    features: Features
    categories: Mapping[tuple[str, int], str]  # of a (set, number)


def judge(bench: Bench, row: Row, shots: Shots) -> tuple[dict[str, Scored], list[str]]:
    """The scores by metric, and why metrics that mean something of this row could not be measured."""
    whole = Evidence(
        subject=bench.subject,
        concept=bench.concept,
        shots=_usable(shots),
        untuned=_usable(bench.untuned),
        photos=bench.photos,
        class_photos=bench.class_photos,
        features=bench.features,
    )
    found, notes = {}, []
    for name, metric in bench.profile.metrics.items():
        if not bench.profile.suits(metric, row) or not set(metric.needs.sets) <= set(shots):
            continue
        counted = bench.profile.counted.get(name) if row != "real" else None
        evidence = replace(whole, shots=_only(counted, whole.shots)) if counted else whole
        try:
            values = metric.measure(evidence)
        except UserError as error:
            notes.append(f"{row}: {name} could not be measured: {error}")
            log.warning("%s", notes[-1])
            continue
        categories = {} if row == "real" else bench.categories
        found[name] = scored(values, bench.profile.averaging, categories)
    return found, notes


def _usable(shots: Shots) -> dict[str, list[Shot]]:
    return {name: [shot for shot in members if shot.state == "ok"] for name, members in shots.items()}


def _only(categories: Sequence[str], shots: Shots) -> Shots:
    return {name: [shot for shot in members if shot.asked.category in categories] for name, members in shots.items()}
