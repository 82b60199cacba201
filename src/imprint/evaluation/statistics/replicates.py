"""Runs that differ in nothing but the training seed: what a subject scores, and how much of it is that seed's luck."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Replicates(NamedTuple):
    mean: float  # over seeds first, then over subjects
    spread: float | None  # over seeds, within a subject; None where no subject has two seeds
    seeds: tuple[int, int]  # the fewest and the most that a subject has


def replicates(by_subject: Sequence[Sequence[float]]) -> Replicates:
    """`spread` is the root of the mean variance (n - 1), over the subjects that have several seeds."""
    assert by_subject
    assert all(by_subject)
    variances = [np.var(scores, ddof=1) for scores in by_subject if len(scores) > 1]
    counts = [len(scores) for scores in by_subject]
    return Replicates(
        mean=float(np.mean([np.mean(scores) for scores in by_subject])),
        spread=float(np.sqrt(np.mean(variances))) if variances else None,
        seeds=(min(counts), max(counts)),
    )
