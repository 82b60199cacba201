import numpy as np
import pytest

from imprint.evaluation.statistics.holm import holm
from imprint.evaluation.statistics.pareto import front
from imprint.evaluation.statistics.replicates import replicates


def test_holms_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_adjusted_p_values_rise_with_the_unadjusted_ones_and_stay_below_one() -> None:
    p = np.random.default_rng(0).uniform(0, 0.7, 20).tolist()
    adjusted = holm(p)
    order = np.argsort(p)
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    assert all(before <= after <= 1 for before, after in zip(p, adjusted, strict=True))
    assert holm([]) == []
    assert holm([0.2]) == [0.2]


def test_seeds_are_averaged_before_subjects() -> None:
    found = replicates([[0.5, 0.7], [0.2]])
    assert found.mean == pytest.approx((0.6 + 0.2) / 2)
    assert found.spread == pytest.approx(np.sqrt(0.02))
    assert found.seeds == (1, 2)


def test_the_spread_of_seeds_is_pooled_over_subjects() -> None:
    found = replicates([[0.4, 0.6], [0.1, 0.5]])
    assert found.spread == pytest.approx(np.sqrt((0.02 + 0.08) / 2))


def test_one_seed_has_no_spread() -> None:
    assert replicates([[0.5], [0.6]]).spread is None


def test_the_front_has_what_nothing_beats_in_both() -> None:
    points = [(0.3, 0.6), (0.2, 0.7), (0.25, 0.6), (0.3, 0.6), (0.1, 0.5)]
    assert front(points, ("higher", "higher")) == [1, 0, 3]


def test_directions_decide() -> None:
    points = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    assert front(points, ("higher", "lower")) == [0, 1, 2]
    assert front(points, ("lower", "lower")) == [0]
    assert front([], ("lower", "lower")) == []
