"""Comparing methods on the same subjects: is a difference more than chance, how large is it, which methods are best?

Paired tests and effect sizes, Holm's correction for many pairs of methods, and the Pareto front of two metrics.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from imprint.evaluation.statistics.nesting import Numbers

Better = Literal["higher", "lower"]

EXACT_UP_TO = 40  # pairs, for which all 2^n signs are counted (in two halves)
DRAWS = 200_000  # of signs, beyond that
TOLERANCE = 1e-9  # of the largest sum: sums that differ by rounding alone are equal


def sign_flip_p(differences: Numbers) -> float:
    """Two-sided: how many of all ways to swap the two methods' places, subject by subject, give as large a mean.

    Exact up to EXACT_UP_TO pairs, if without an effect each difference could as well have had the other sign: if the
    methods are alike, whatever the distribution. Of methods that differ but are equal on average, with differences
    that are skewed, it rejects too often.
    """
    sizes = np.abs(differences)
    reached = float(abs(differences.sum())) - TOLERANCE * float(sizes.sum())
    if reached <= 0:
        return 1.0
    if len(sizes) > EXACT_UP_TO:
        signs = np.random.default_rng(0).integers(2, size=(DRAWS, len(sizes)), dtype=np.int8)
        as_large = int(np.count_nonzero(np.abs((2.0 * signs - 1) @ sizes) >= reached))
        return (as_large + 1) / (DRAWS + 1)
    half = len(sizes) // 2
    left, right = _signed_sums(sizes[:half]), np.sort(_signed_sums(sizes[half:]))
    above = np.searchsorted(right, reached - left, side="left")  # left + right >= reached from here on
    # By symmetry as many fall below -reached as lie above reached.
    return min(1.0, 2 * float(np.sum(len(right) - above)) / 2.0 ** len(sizes))


def wilcoxon_p(differences: Numbers) -> float:
    """Wilcoxon's signed-rank test, two-sided and exact with ties too; differences of zero are left out."""
    return sign_flip_p(_signed_ranks(differences))


def smallest_p(pairs: int) -> float:
    """What the most one-sided result of so many pairs can come to."""
    return min(1.0, 2.0 ** (1 - pairs))


def standardised_difference(differences: Numbers) -> float | None:
    """Cohen's d of paired differences with Hedges' correction for few pairs (g).

    None for fewer than three pairs, of which the correction leaves nothing, and where the differences do not vary.
    """
    pairs = len(differences)
    if pairs < 3:
        return None
    spread = float(differences.std(ddof=1))
    if spread <= TOLERANCE * float(np.abs(differences).max()):
        return None
    return float(differences.mean()) / spread * (1 - 3 / (4 * (pairs - 1) - 1))


def rank_biserial(differences: Numbers) -> float:
    """From -1 to 1: the share of the signed ranks that is positive, less the share that is negative."""
    ranks = _signed_ranks(differences)
    total = float(np.abs(ranks).sum())
    return float(ranks.sum()) / total if total else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given; never below the unadjusted ones, and rising with them."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def pareto_front(points: Sequence[tuple[float, float]], better: tuple[Better, Better]) -> list[int]:
    """The places of the points that no other point dominates, by rising first number. Equal points stand together."""
    if not points:
        return []
    values = np.array(points) * [1 if direction == "higher" else -1 for direction in better]
    at_least_as_good = (values[:, None] >= values[None]).all(axis=2)
    dominates = at_least_as_good & (values[:, None] > values[None]).any(axis=2)
    return sorted(np.flatnonzero(~dominates.any(axis=0)).tolist(), key=lambda index: points[index])


def _signed_sums(sizes: Numbers) -> Numbers:
    """The sum under each of the 2^n choices of signs."""
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return sums


def _signed_ranks(differences: Numbers) -> Numbers:
    """Ranks of the sizes, equal sizes sharing their mean rank, with the differences' signs; without zeros."""
    kept = differences[np.abs(differences) > TOLERANCE * max(1.0, float(np.abs(differences).max(initial=0)))]
    sizes = np.round(np.abs(kept), 12)
    _, group, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = last - (counts - 1) / 2
    return np.asarray(np.sign(kept) * ranks[group], dtype=np.float64)
