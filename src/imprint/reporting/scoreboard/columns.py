"""The columns of a scoreboard: each is one metric with one fingerprint."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from imprint.evaluation.score_sheet import MetricFacts, ScoreSheet, headed
from imprint.evaluation.statistics.nesting import Averaging

SUBJECT_FIDELITY = ("dino", "clip_i")
PROMPT_FIDELITY = ("clip_t",)


@dataclass(frozen=True, kw_only=True)
class ScoreColumn:
    key: str  # unique on a board
    name: str  # of the metric in its profile
    title: str  # unique, too
    profile: str
    sampling: str
    averaging: Averaging
    facts: MetricFacts

    @property
    def heading(self) -> str:
        return headed(self.title, self.facts.better)

    def best(self, values: Collection[float]) -> float | None:
        """None where no value is better than another."""
        if self.facts.better == "neither" or not values:
            return None
        return max(values) if self.facts.better == "higher" else min(values)

    def of(self, sheet: ScoreSheet) -> bool:
        facts = sheet.metrics.get(self.name)
        return facts is not None and facts.fingerprint == self.facts.fingerprint


def columns(sheets: Sequence[ScoreSheet]) -> list[ScoreColumn]:
    """One for each (metric, fingerprint), in the order in which they first appear."""
    first: dict[tuple[str, str], ScoreSheet] = {}
    for sheet in sheets:
        for name, facts in sheet.metrics.items():
            first.setdefault((name, facts.fingerprint), sheet)
    found = [
        ScoreColumn(
            key=_key(name, [other for other, _ in list(first)[:place]]),
            name=name,
            title=sheet.metrics[name].title,
            profile=sheet.profile,
            sampling=sheet.sampling,
            averaging="pairs" if sheet.averaging == "pairs" else "macro",
            facts=sheet.metrics[name],
        )
        for place, ((name, _), sheet) in enumerate(first.items())
    ]
    return [_titled(column, found) for column in found]


def tradeoffs(columns: Sequence[ScoreColumn]) -> list[tuple[ScoreColumn, ScoreColumn]]:
    """Pairs (prompt fidelity, subject fidelity) that were measured on the same pictures."""
    return [
        (across, up)
        for across, up in product(columns, repeat=2)
        if across.name in PROMPT_FIDELITY
        and up.name in SUBJECT_FIDELITY
        and (across.profile, across.sampling) == (up.profile, up.sampling)
    ]


def differences(columns: Sequence[ScoreColumn]) -> Iterator[str]:
    """A sentence for each metric with several columns, on how they differ."""
    for name in dict.fromkeys(column.name for column in columns):
        alike = [column for column in columns if column.name == name]
        if len(alike) == 1:
            continue
        facts = [_described(column) for column in alike]
        keys = [key for key in dict.fromkeys(key for each in facts for key in each) if _vary(facts, key)]
        what = "; ".join(f"{key}: {' | '.join(str(each.get(key, '-')) for each in facts)}" for key in keys)
        titles = " and ".join(column.title for column in alike)
        yield f"{titles} are measured differently, and their numbers cannot be compared. {what or 'Pictures differ'}."


def _key(name: str, before: Sequence[str]) -> str:
    """dino; further ones dino-2, dino-3."""
    return f"{name}-{before.count(name) + 1}" if name in before else name


def _titled(column: ScoreColumn, found: Sequence[ScoreColumn]) -> ScoreColumn:
    """Its metric's title, and where others share it, the first property that is its own."""
    alike = [other for other in found if other.title == column.title]
    if len(alike) == 1:
        return column
    ways = (
        lambda one: one.name,
        lambda one: one.profile,
        lambda one: one.facts.encoder_names,
        lambda one: one.facts.fingerprint[:6],
        lambda one: one.key,
    )
    way = next(way for way in ways if len({way(other) for other in alike}) == len(alike))
    return replace(column, title=f"{column.title} ({way(column)})")


def _described(column: ScoreColumn) -> dict[str, Any]:
    encoders = {
        f"{role} encoder": f"{facts['name']} {facts['fingerprint'][:8]}"
        for role, facts in column.facts.encoders.items()
    }
    whole: Mapping[str, Any] = {"profile": column.profile, "pictures": column.sampling, "averaging": column.averaging}
    return {**whole, **encoders, **column.facts.settings}


def _vary(facts: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({str(each.get(key)) for each in facts}) > 1
