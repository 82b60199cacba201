"""How far a mean would move with other subjects, training seeds, prompts and pictures: a hierarchical bootstrap.

A resample picks subjects with replacement, of each picked one its training seeds, of each of these its prompts, of each
of these its pictures, and averages them again. The interval is the middle of all resamples. A bootstrap of few subjects
is too narrow (its variance is (n - 1)/n of what it should be, its tails are a normal's), so the ends are taken further
out, by Student's t for the number of units at the topmost level that has several (the "expanded percentile interval",
Hesterberg 2015, The American Statistician 69(4)). No resample goes beyond the units themselves, so with fewer than
ENOUGH of them the interval stays too narrow: of three subjects it holds the true mean in 90% of cases.

Resampling every level counts the variation within a subject twice, since the subject's mean varies by it, too. With a
few pictures of many subjects that is little, and makes the interval wider rather than narrower.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from imprint.evaluation.statistics.nesting import Averaging, Numbers, Tree, widths

LEVELS = ("subjects", "training seeds", "prompts", "pictures")
ENOUGH = 5
LISTED = 1024  # so many resamples of a prompt's few pictures are listed once instead of sampled


@dataclass(frozen=True, kw_only=True)
class Interval:
    low: float
    high: float
    confidence: float
    resampled: tuple[str, ...]  # the levels with several branches; without "subjects" it is about these subjects alone


def interval(
    tree: Tree,
    *,
    levels: Sequence[str] = LEVELS,
    averaging: Averaging = "macro",
    draws: int,
    seed: int,
    confidence: float = 0.95,
) -> Interval | None:
    """None where no level has more than one branch: a single number has no spread."""
    sizes = widths(tree)
    assert len(sizes) == len(levels)
    several = [index for index, size in enumerate(sizes) if size > 1]
    if not several:
        return None
    sums, weights = _resampled(tree, draws, averaging, np.random.default_rng(seed))
    tail = _tail(sizes[several[0]], confidence)
    low, high = np.quantile(sums / weights, [tail, 1 - tail])
    return Interval(
        low=float(low),
        high=float(high),
        confidence=confidence,
        resampled=tuple(levels[index] for index in several),
    )


def _resampled(tree: Tree, count: int, averaging: Averaging, generator: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Sums and weights of `count` resamples of a tree. Macro: the weight of every node is 1."""
    if isinstance(tree, np.ndarray):
        means = _resampled_means(tree, count, generator)
        weight = float(len(tree)) if averaging == "pairs" else 1.0
        return means * weight, np.full(count, weight)
    size = len(tree)
    picks = generator.integers(size, size=count * size, dtype=np.uint16)
    places = np.argsort(picks, kind="stable")  # all places that picked branch 0, then 1, ...: each is filled at once
    sums, weights = np.empty(count * size), np.empty(count * size)
    end = 0
    for branch, times in zip(tree, np.bincount(picks, minlength=size).tolist(), strict=True):
        filled, end = places[end : end + times], end + times
        sums[filled], weights[filled] = _resampled(branch, times, averaging, generator)
    by_draw = sums.reshape(count, size)
    if averaging == "pairs":
        return by_draw.sum(axis=1), weights.reshape(count, size).sum(axis=1)
    return by_draw.mean(axis=1), np.ones(count)


def _resampled_means(numbers: Numbers, count: int, generator: np.random.Generator) -> Numbers:
    size = len(numbers)
    if size == 1:
        return np.full(count, numbers[0])
    if size**size <= LISTED:
        means: Numbers = numbers[_all_picks(size)].mean(axis=1)
        return means[generator.integers(len(means), size=count, dtype=np.uint16)]
    picks = generator.integers(size, size=(count, size), dtype=np.uint16)
    return np.asarray(numbers[picks].mean(axis=1))


@lru_cache
def _all_picks(size: int) -> np.ndarray:
    return np.array(list(itertools.product(range(size), repeat=size)))


@lru_cache
def _tail(units: int, confidence: float) -> float:
    """What is cut off on each side, so that few units get the width that Student's t would give them."""
    quantile = student_quantile((1 + confidence) / 2, units - 1)
    return NormalDist().cdf(-quantile * float(np.sqrt(units / (units - 1))))


def student_quantile(probability: float, freedom: int) -> float:
    """Of Student's t: with t = sqrt(freedom) tan(a), the density of a is proportional to cos(a)^(freedom - 1)."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, 200_001)
    density = np.cos(angles).clip(0) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = np.interp(probability, below / below[-1], angles)
    return float(np.sqrt(freedom) * np.tan(angle))
