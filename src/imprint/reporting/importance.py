"""How much of what a metric varies by goes with one setting: a main effect, as in an analysis of variance."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

PARTS = 3  # that a number is cut into, where nearly each run has a value of its own


class Share(NamedTuple):
    """Of the variance over the runs."""

    explained: float  # by the means of the groups: eta squared, between 0 and 1
    by_chance: float  # what it would be on average if the setting had no effect: (groups - 1) / (runs - 1)


def eta_squared(groups: Sequence[Hashable], values: Sequence[float]) -> Share | None:
    """The sum of squares between the groups' means over the whole one; `groups` says which each value belongs to.

    None where it means nothing: one group, no group of two, or values that do not vary.
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


def grouped(values: Sequence[float]) -> list[int]:
    """The group of each number: equal ones together; or by size in a few parts, where most numbers occur once."""
    kinds = sorted(set(values))
    if len(kinds) <= len(values) / 2 or len(values) < 2 * PARTS:
        return [kinds.index(value) for value in values]
    edges = np.quantile(values, np.linspace(0, 1, PARTS + 1)[1:-1])
    return [int(part) for part in np.searchsorted(edges, values, side="left")]
