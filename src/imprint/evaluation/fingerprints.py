"""Fingerprints: hashes of all that a number depends on. Numbers are comparable if their fingerprints are equal."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.profile import Profile
from imprint.evaluation.score_sheet import MetricFacts
from imprint.evaluation.statistics.nesting import Averaging
from imprint.kinds import hashed_class, hashed_settings

Settings = Mapping[str, Any]
# What is hashed for an average. Pairs were once pictures, whatever the number of photos.
AVERAGED: Mapping[Averaging, str] = {"macro": "macro", "pairs": "pairs of a picture and a photo"}


def fingerprint(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]


def facts_of(
    profile: Profile, encoders: Mapping[str, Encoder], *, sampling: Settings, sets: Mapping[str, Settings]
) -> dict[str, MetricFacts]:
    """By metric. `sampling` says how pictures are generated, `sets` which are asked for. Subject, run and strength have
    no part in it: numbers of different subjects, methods and strengths are comparable."""
    facts = {}
    for name, metric in profile.metrics.items():
        needs, settings = metric.needs, settings_of(metric)
        used = {
            role: {
                "name": encoders[role].name,
                "fingerprint": encoders[role].fingerprint,
                **encoders[role].facts(),
            }
            for role in needs.encoders
        }
        depends_on = {
            "metric": [hashed_class(type(metric)), hashed_settings(type(metric), settings)],
            "encoders": {role: encoder["fingerprint"] for role, encoder in used.items()},
            "sampling": sampling,
            "sets": {wanted: sets[wanted] for wanted in sorted({*needs.sets, *needs.untuned})},
            "averaging": AVERAGED[profile.averaging],
            "counted": profile.counted.get(name, []),
        }
        facts[name] = MetricFacts(
            title=metric.title,
            better=metric.better,
            fingerprint=fingerprint(depends_on),
            settings=settings,
            encoders=used,
            bounds=metric.bounds,
        )
    return facts


def settings_of(part: object) -> dict[str, Any]:
    """What a metric, or a filter, was constructed with: it keeps every setting under its name."""
    return {name: getattr(part, name) for name in signature(type(part)).parameters}


def sheet_fingerprint(sampling: str, metrics: Mapping[str, MetricFacts], rows: Sequence[str]) -> str:
    """Of all metrics and rows of a score sheet."""
    return fingerprint([sampling, {name: facts.fingerprint for name, facts in metrics.items()}, sorted(rows)])
