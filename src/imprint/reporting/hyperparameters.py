"""Hyperparameter importance: how much of a metric's variance each setting explains, and figures of it."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from imprint.reporting.labels import headings, short
from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.setting_figures import Measured, Scale, heat_map, parallel_coordinates, response
from imprint.reporting.units import score

FEWEST = 4  # runs with a score, for anything to be shown
MOST_LEVELS = 10  # values of a setting that is drawn as rows or columns
MOST_AXES = 7
BINS = 3  # bins of a number, where nearly each run has a value of its own
SEED = "seed"  # is random: it has no axis


class Share(NamedTuple):
    """Of the variance over the runs."""

    explained: float  # by the means of the groups: eta squared, between 0 and 1
    by_chance: float  # what it would be on average if the setting had no effect: (groups - 1) / (runs - 1)


class Effect(NamedTuple):
    """Of one setting on one metric."""

    key: str
    heading: str
    values: Sequence[tuple[str, float, int]]  # each value, the mean over its runs, and how many these are
    share: Share | None
    is_binned: bool  # a number whose values were put into a few bins

    @property
    def says_something(self) -> bool:
        """Unless it explains no more than chance does."""
        return self.share is None or self.share.explained > self.share.by_chance


class Figure(NamedTuple):
    kind: str
    svg: str
    caption: str


class Study(NamedTuple):
    metric: str
    runs: int
    effects: Sequence[Effect]  # the largest share first
    figures: Sequence[Figure]

    @property
    def shown(self) -> list[Effect]:
        return [effect for effect in self.effects if effect.says_something]

    @property
    def left_out(self) -> list[str]:
        return [effect.heading for effect in self.effects if not effect.says_something]


def studies(
    records: Sequence[RunRecord],
    names: Mapping[str, str],
    scores: RunScores,
    keys: Sequence[str],
    objectives: Sequence[str] = (),
) -> list[Study]:
    """One for each metric that runs with different settings were scored by; the objectives first."""
    order = [*objectives, *(column.name for column in scores.columns)]
    columns = sorted(scores.columns, key=lambda column: order.index(column.name))
    found = (_study(records, names, scores, keys, column) for column in columns)
    return [study for study in found if study]


def _study(
    records: Sequence[RunRecord], names: Mapping[str, str], scores: RunScores, keys: Sequence[str], column: ScoreColumn
) -> Study | None:
    means = {record.folder: mean for record in records if (mean := scores.mean(record, column)) is not None}
    known = [record for record in records if math.isfinite(means.get(record.folder, math.nan))]
    scales = [
        scale for key, heading in headings(keys).items() if len((scale := _scale(key, heading, known)).levels) > 1
    ]
    if len(known) < FEWEST or not scales:
        return None
    values = [means[record.folder] for record in known]
    measured = Measured(
        column.heading,
        column.facts.better,
        values,
        [scores.interval(record, column) for record in known],
        [names[record.name] for record in known],
        [record.name for record in known],
        scores.are_apart(known, column),
    )
    effects = sorted((_effect(scale, values) for scale in scales), key=_weight, reverse=True)
    places = {effect.key: place for place, effect in enumerate(effects)}
    plotted = sorted((scale for scale in scales if scale.key != SEED), key=lambda scale: places[scale.key])
    has_seeds = len(plotted) < len(scales)
    return Study(column.heading, len(known), effects, list(_figures(plotted, measured, has_seeds)))


def _scale(key: str, heading: str, records: Sequence[RunRecord]) -> Scale:
    texts = [record.settings.get(key, "") for record in records]
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        numbers = []
    is_number = bool(numbers) and all(map(math.isfinite, numbers))
    return Scale(key, heading, [short(text) or "none" for text in texts], numbers if is_number else None)


def _effect(scale: Scale, values: Sequence[float]) -> Effect:
    groups = list(scale.texts) if scale.numbers is None else [str(group) for group in binned(scale.numbers)]
    is_binned = len(set(groups)) < len(scale.levels)
    by_value = []
    for group in dict.fromkeys(sorted(groups, key=int) if scale.numbers is not None else groups):
        members = [place for place, own in enumerate(groups) if own == group]
        levels = [level for level in scale.levels if level in {scale.texts[place] for place in members}]
        label = levels[0] if len(levels) == 1 else f"{levels[0]} to {levels[-1]}"
        by_value.append((label, fmean(values[place] for place in members), len(members)))
    return Effect(scale.key, scale.heading, by_value, eta_squared(groups, values), is_binned)


def _weight(effect: Effect) -> float:
    return effect.share.explained if effect.share else -1.0


def _figures(scales: Sequence[Scale], measured: Measured, has_seeds: bool) -> Iterator[Figure]:
    """`scales` by what they explain."""
    few = [scale for scale in scales if len(scale.levels) <= MOST_LEVELS]
    lines = [scale for scale in scales if scale.numbers is not None or scale in few][:MOST_AXES]
    if len(scales) == 1:
        yield Figure(
            "response", response(scales[0], measured), "Lines are 95% intervals over a run's own prompts and pictures."
        )
    elif len(few) > 1:
        others = [*(scale.heading for scale in scales if scale not in few[:2]), *([SEED] if has_seeds else [])]
        averaged = f" A cell is the mean over all that differs in {' or '.join(others)} alone." if others else ""
        yield Figure("map", heat_map(few[0], few[1], measured), f"{_best(measured)}{averaged}")
    if len(lines) > 2 or (len(lines) == 2 and len(few) < 2):
        yield Figure("lines", parallel_coordinates(lines, measured), f"A line is a run. {_best(measured)}")


def _best(measured: Measured) -> str:
    low, high = min(measured.values), max(measured.values)
    if not measured.are_apart:
        return f"From {score(low)} to {score(high)}, which cannot be told apart: all are of one colour."
    better = {"higher": " Orange is better.", "lower": " Orange is better.", "neither": ""}[measured.better]
    return f"From {score(low)} to {score(high)}.{better}"


def eta_squared(groups: Sequence[Hashable], values: Sequence[float]) -> Share | None:
    """The sum of squares between the groups' means over the whole one; `groups` says which each value belongs to.

    None where it is not defined: one group, no group of two, or values that do not vary.
    """
    assert len(groups) == len(values)
    kinds = list(dict.fromkeys(groups))
    if not 1 < len(kinds) < len(values):
        return None
    numbers = np.array(values, dtype=float)
    whole = float(((numbers - numbers.mean()) ** 2).sum())
    if whole <= 1e-12 * max(1.0, float((numbers**2).sum())):
        return None
    members = [numbers[[group == kind for group in groups]] for kind in kinds]
    between = sum(len(own) * float(own.mean() - numbers.mean()) ** 2 for own in members)
    return Share(min(between / whole, 1.0), (len(kinds) - 1) / (len(values) - 1))


def binned(values: Sequence[float]) -> list[int]:
    """The group of each number: equal ones together; or by size in a few parts, where most numbers occur once."""
    kinds = sorted(set(values))
    if len(kinds) <= len(values) / 2 or len(values) < 2 * BINS:
        return [kinds.index(value) for value in values]
    edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
    return [int(part) for part in np.searchsorted(edges, values, side="left")]
