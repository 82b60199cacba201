"""Figures from papers, as published_figures.yaml lists them, and why a measured number cannot be compared with one."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

from imprint.evaluation.score_sheet import MetricFacts


class Judge(NamedTuple):
    """What an encoder of a name is."""

    weights: tuple[str, ...]  # SHA-256 of its published files; none: not known
    transform: str


class Claim(NamedTuple):
    """One published row, and how it came about as far as its source tells."""

    source: str
    label: str
    profile: str | None
    data: str
    subjects: tuple[str, ...] | None
    pictures: int | None  # of each subject
    encoders: Mapping[str, str]  # by metric
    judges: Mapping[str, Judge]  # by the encoders' names, as the source showed them pictures
    settings: Mapping[str, Mapping[str, Any]]  # by metric
    averaging: str
    drawing: Mapping[str, Any]  # of the sampler
    unlike: tuple[str, ...]  # why it is never comparable
    unknown: tuple[str, ...]
    scores: Mapping[str, float]  # by metric


@lru_cache
def claims() -> tuple[Claim, ...]:
    text = resources.files("imprint.evaluation").joinpath("published_figures.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    return tuple(
        Claim(
            source=source["source"],
            label=row["label"],
            profile=source["profile"],
            data=source["data"],
            subjects=None if source["subjects"] is None else tuple(source["subjects"]),
            pictures=source["pictures"],
            encoders=source["encoders"],
            judges=_judges(content["judges"], source.get("transforms", {})),
            settings=source.get("settings", {}),
            averaging=source["averaging"],
            drawing=source.get("drawing", {}),
            unlike=tuple(source.get("unlike", ())),
            unknown=tuple(source["open"]),
            scores={name: float(value) for name, value in row.items() if name != "label"},
        )
        for source in content["sources"]
        for row in source["rows"]
    )


def measured_otherwise(claim: Claim, metric: str, facts: MetricFacts, averaging: str) -> Iterator[str]:
    """Why a metric's numbers cannot be compared with the claim's: encoder, weights, transform, settings, averages."""
    theirs = claim.encoders.get(metric)
    if theirs is None:
        yield f"the encoder of their {facts.title} is not known"
        return
    if facts.encoder_names != theirs:
        yield f"{facts.title} is measured by {facts.encoder_names or 'nothing'} here and by {theirs} there"
        return
    judge = claim.judges[theirs]
    [ours] = facts.encoders.values()
    if not {"weights", "transform"} <= ours.keys():
        yield f"an older version measured {facts.title} and did not note the weights of {theirs}: evaluate again"
    else:
        if not judge.weights:
            yield f"the published weights of {theirs} are not pinned here, so ours may be others of that name"
        elif ours["weights"] not in judge.weights:
            yield f"the weights of {theirs} are not the published ones"
        if ours["transform"] != judge.transform:
            yield f"{theirs} sees pictures otherwise (here {ours['transform']}; there {judge.transform})"
    for setting, value in claim.settings.get(metric, {}).items():
        if facts.settings.get(setting) != value:
            yield f"{facts.title} has {setting}={_said(facts.settings.get(setting))} here and {_said(value)} there"
    if averaging != claim.averaging:
        yield f"averages are {averaging} here and {claim.averaging} there"


def drawn_otherwise(claim: Claim, drawing: Mapping[str, Any]) -> Iterator[str]:
    """Why pictures cannot be compared with those of the claim, as far as its source tells of their sampler."""
    sampler = drawing.get("sampler")
    if not claim.drawing:
        return
    if not isinstance(sampler, Mapping):
        yield "how our pictures were drawn is not known"
        return
    for setting, value in claim.drawing.items():
        if sampler.get(setting) != value:
            yield f"pictures are drawn with {setting}={_said(sampler.get(setting))} here and {_said(value)} there"


def _judges(known: Mapping[str, Mapping[str, Any]], transforms: Mapping[str, str]) -> dict[str, Judge]:
    return {
        name: Judge(tuple(judge["weights"]), transforms.get(name, judge["transform"])) for name, judge in known.items()
    }


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
