"""The share of a gap that is closed: a ratio of two differences, and how far it might be off.

A ratio is r where own - r x most is zero on average. So the shares that cannot be told from the true one are those for
which the interval of that difference, subject by subject, has zero in it (Fieller, 1954, with the intervals of other
differences in place of a normal's). Both differences are of the same subjects, so what subjects have in common goes
out. Where the whole gap may be none, any share could be true, and nothing is told.
"""

from collections.abc import Mapping

from imprint.evaluation.statistics.crossing import table_of_differences
from imprint.evaluation.statistics.intervals import Interval, difference_interval

DRAWS = 2_000  # resamples, for each share that is tried
SEED = 0
STEPS = 16  # of bisection: to less than a thousandth of the gap
STRIDES = 6  # each twice as long as the one before, to find what is beyond


def share_interval(own: Mapping[str, float], most: Mapping[str, float]) -> Interval | None:
    """Of mean(own) / mean(most), which are differences by subject. None where there are too few subjects, or where most
    might be zero."""
    whole = _of(own, most, 0.0, of_most=True)
    if whole is None or not whole.excludes_zero:
        return None
    centre = sum(own.values()) / sum(most.values())
    low, high = (_edge(own, most, centre, direction) for direction in (-1, 1))
    if low is None or high is None:
        return None
    covers = whole.covers
    return Interval(low=low, high=high, confidence=whole.confidence, resampled=whole.resampled, covers=covers)


def _edge(own: Mapping[str, float], most: Mapping[str, float], centre: float, direction: int) -> float | None:
    """The last share in a direction that might be true; None where there is no end to them."""
    inside, stride = centre, 0.1
    for _ in range(STRIDES):
        outside = centre + direction * stride
        if not _may_be(own, most, outside):
            break
        inside, stride = outside, 2 * stride
    else:
        return None
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if _may_be(own, most, middle) else (inside, middle)
    return inside


def _may_be(own: Mapping[str, float], most: Mapping[str, float], share: float) -> bool:
    interval = _of(own, most, share)
    return interval is not None and not interval.excludes_zero


def _of(own: Mapping[str, float], most: Mapping[str, float], share: float, *, of_most: bool = False) -> Interval | None:
    differences = {subject: most[subject] if of_most else own[subject] - share * most[subject] for subject in most}
    mean = sum(differences.values()) / len(differences)
    table = table_of_differences({subject: {"": value} for subject, value in differences.items()})
    return difference_interval(table, centre=mean, draws=DRAWS, seed=SEED)
