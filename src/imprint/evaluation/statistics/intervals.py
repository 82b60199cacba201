"""How far a mean, or a difference, might move with other subjects and prompts: a crossed bootstrap.

A resample draws subjects with replacement and, by themselves, prompts with replacement; each cell of the table counts
as often as its subject times its prompt ("pigeonhole bootstrap", Owen 2007, Annals of Applied Statistics 1(2)).
Training seeds and pictures are not drawn again: they are part of what cells differ by, which counts with either draw.
Where subjects of one class are alike, whole classes are drawn (`crossing.py` decides).

A bootstrap of few units is too narrow: its variance is (n - 1)/n of what it should be, its tails are a normal's, and no
resample goes beyond the units. So what each of the two draws adds is stretched to the width of Student's t for its
number of units. Classes of different size count as so many equal ones as have the same sum of squared weights.

A difference of methods is often skewed: a few subjects gain much. Its interval is the wider one, on each side, of that
and of the studentised bootstrap, whose resamples are measured in their own standard errors. This one is taken at a
higher confidence where units are few. experiments/coverage holds how often both have the true value.
"""

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from imprint.evaluation.statistics.crossing import Crossed
from imprint.evaluation.statistics.nesting import Numbers

Bounds = tuple[float | None, float | None]  # None: there is no end on this side

CONFIDENCE = 0.95
UNBOUNDED: tuple[None, None] = (None, None)
# The studentised bootstrap of lognormal differences needs this share of the tails to reach its confidence: measured.
SKEW_FROM, SKEW_LEAST, SKEW_UP_TO = 5, 0.3, 45
NO_SPREAD = 1e-9  # of the largest number: sums that differ by rounding alone


@dataclass(frozen=True, kw_only=True)
class Interval:
    low: float
    high: float
    confidence: float
    resampled: tuple[str, ...]  # classes, subjects, training seeds, prompts, pictures
    covers: str  # the same in words, with what the interval says nothing beyond

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def mean_interval(
    table: Crossed,
    *,
    centre: float,
    draws: int,
    seed: int,
    confidence: float = CONFIDENCE,
    within: Bounds = UNBOUNDED,
) -> Interval | None:
    """Around `centre`. None where there is too little of everything to speak of other such units.

    What lies outside of `within`, where no mean can be, is cut off: the interval has the true mean as often as before.
    """
    if not table.drawn:
        return None
    deviations = _stretched(_Parts.of(table), draws, seed, confidence)
    return _interval(table, centre, _quantiles(deviations, confidence), confidence, within)


def difference_interval(
    table: Crossed,
    *,
    centre: float,
    draws: int,
    seed: int,
    confidence: float = CONFIDENCE,
    within: Bounds = UNBOUNDED,
) -> Interval | None:
    """The same of paired differences, which may be skewed."""
    if not table.drawn:
        return None
    parts = _Parts.of(table)
    low, high = _quantiles(_stretched(parts, draws, seed, confidence), confidence)
    if (error := parts.standard_error) > NO_SPREAD * float(np.abs(table.values).max(initial=0)):
        units = len(parts.by_cluster) if parts.draws_rows else len(parts.by_column)
        least, most = _quantiles(_studentised(parts, draws, seed), 1 - (1 - confidence) * _share_of_tails(units))
        low, high = min(low, -most * error), max(high, -least * error)
    return _interval(table, centre, (low, high), confidence, within)


def of_differences(bounds: Bounds) -> Bounds:
    """Where the difference of two numbers lies that lie within these."""
    low, high = bounds
    return UNBOUNDED if low is None or high is None else (low - high, high - low)


def student_quantile(probability: float, freedom: float) -> float:
    """Of Student's t: with t = sqrt(freedom) tan(a), the density of a is proportional to cos(a)^(freedom - 1)."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, 200_001)
    density = np.cos(angles).clip(0) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = np.interp(probability, below / below[-1], angles)
    return float(np.sqrt(freedom) * np.tan(angle))


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """A table taken apart: what each cluster of rows, each column, and each cell of the two adds to the mean when it
    is drawn once more."""

    by_cluster: Numbers  # (clusters,)
    by_column: Numbers  # (columns,)
    by_cell: Numbers  # (clusters, columns)
    weights: Numbers  # (clusters,), their sum is 1
    draws_rows: bool
    draws_columns: bool

    @classmethod
    def of(cls, table: Crossed) -> "_Parts":
        shares = table.counts / table.counts.sum(axis=1, keepdims=True)
        means = (shares * table.values).sum(axis=1)
        beyond = means - float(table.weights @ means)
        cells = shares * (table.values - means[:, None]) * table.weights[:, None]
        members = (table.clusters[:, None] == np.arange(table.clusters.max() + 1)).astype(float)
        weights = members.T @ table.weights
        return cls(
            by_cluster=members.T @ (table.weights * beyond),
            by_column=cells.sum(axis=0),
            by_cell=members.T @ cells,
            weights=weights,
            draws_rows=table.rows is not None,
            draws_columns=table.columns is not None,
        )

    @property
    def standard_error(self) -> float:
        squares = 0.0
        for part, is_drawn in ((self.by_cluster, self.draws_rows), (self.by_column, self.draws_columns)):
            if is_drawn:
                squares += len(part) * float(part.var(ddof=1))
        return float(np.sqrt(squares))


def _stretched(parts: _Parts, draws: int, seed: int, confidence: float) -> Numbers:
    """By how much each resample's mean is off, each draw as wide as Student's t would have it."""
    found = np.zeros(draws)
    rows, columns = len(parts.by_cluster), len(parts.by_column)
    if parts.draws_rows:
        # The mean without a cluster moves by this: a large one counts more than its share.
        without = parts.by_cluster / (1 - parts.weights) * (1 - 1 / rows)
        equal = 1 / float(np.square(parts.weights).sum())
        found += _stretch(rows, round(equal - 1, 3), confidence) * (_more_often(rows, draws, seed, 0) @ without)
    if parts.draws_columns:
        by_column = _more_often(columns, draws, seed, 1) @ parts.by_column
        found += _stretch(columns, columns - 1, confidence) * by_column
    if parts.draws_rows and parts.draws_columns:
        both = _more_often(rows, draws, seed, 0) @ parts.by_cell
        found += np.einsum("ij,ij->i", both, _more_often(columns, draws, seed, 1))
    return found


def _studentised(parts: _Parts, draws: int, seed: int) -> Numbers:
    """By how many of its own standard errors each resample's mean is off. Rows count alike."""
    rows, columns = len(parts.by_cluster), len(parts.by_column)
    more_rows = _more_often(rows, draws, seed, 0) if parts.draws_rows else np.zeros((draws, rows))
    more_columns = _more_often(columns, draws, seed, 1) if parts.draws_columns else np.zeros((draws, columns))
    own_rows = parts.by_cluster + more_columns @ parts.by_cell.T  # what a row adds in this resample of columns
    own_columns = parts.by_column + more_rows @ parts.by_cell
    off = more_rows @ parts.by_cluster + np.einsum("ij,ij->i", more_columns, own_columns)
    squares = np.zeros(draws)
    for often, own, is_drawn in (
        (1 + more_rows, own_rows, parts.draws_rows),
        (1 + more_columns, own_columns, parts.draws_columns),
    ):
        if is_drawn:
            units = own.shape[1]
            spread = own - np.einsum("ij,ij->i", often, own)[:, None] / units
            squares += units / (units - 1) * np.einsum("ij,ij,ij->i", often, spread, spread)
    errors = np.sqrt(squares)
    # A resample of equal units alone, as where most differences are 0, knows nothing of its error.
    return np.asarray(off / np.where(errors > NO_SPREAD * parts.standard_error, errors, parts.standard_error))


@lru_cache(maxsize=8)
def _more_often(units: int, draws: int, seed: int, axis: int) -> Numbers:
    """How much more often than once each resample has each unit."""
    generator = np.random.default_rng([seed, axis])
    counts = np.asarray(generator.multinomial(units, [1 / units] * units, size=draws) - 1.0)
    counts.flags.writeable = False
    return counts


@lru_cache
def _stretch(units: int, freedom: float, confidence: float) -> float:
    quantile = student_quantile((1 + confidence) / 2, freedom) / NormalDist().inv_cdf((1 + confidence) / 2)
    return quantile * float(np.sqrt(units / (units - 1)))


def _share_of_tails(units: int) -> float:
    """Of four units (prompts) a resample is too often one of them alone for its tails to tell anything."""
    return 1.0 if units < SKEW_FROM else min(1.0, max(SKEW_LEAST, units / SKEW_UP_TO))


def _quantiles(deviations: Numbers, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(deviations, [(1 - confidence) / 2, (1 + confidence) / 2], method="nearest")
    return float(low), float(high)


def _interval(table: Crossed, centre: float, off: tuple[float, float], confidence: float, within: Bounds) -> Interval:
    """Never beside what it is around, also where all numbers are equal but for rounding."""
    least, most = within
    low, high = (centre + each for each in off)
    low = low if least is None else max(low, least)
    high = high if most is None else min(high, most)
    return Interval(
        low=min(low, centre),
        high=max(high, centre),
        confidence=confidence,
        resampled=table.drawn,
        covers=table.covers,
    )
