"""Figures from papers, as published_figures.yaml lists them."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import yaml


class Claim(NamedTuple):
    """One published row, and how it came about as far as its source tells."""

    source: str
    label: str
    profile: str | None
    data: str
    subjects: tuple[str, ...] | None
    pictures: int | None  # of each subject
    encoders: Mapping[str, str]  # by metric
    unknown: tuple[str, ...]
    scores: Mapping[str, float]  # by metric


@lru_cache
def claims() -> tuple[Claim, ...]:
    text = resources.files("imprint.evaluation").joinpath("published_figures.yaml").read_text(encoding="utf-8")
    return tuple(
        Claim(
            source=source["source"],
            label=row["label"],
            profile=source["profile"],
            data=source["data"],
            subjects=None if source["subjects"] is None else tuple(source["subjects"]),
            pictures=source["pictures"],
            encoders=source["encoders"],
            unknown=tuple(source["open"]),
            scores={name: float(value) for name, value in row.items() if name != "label"},
        )
        for source in yaml.safe_load(text)["sources"]
        for row in source["rows"]
    )
