import itertools

import numpy as np
import pytest

from imprint.evaluation.statistics.comparing import (
    holm,
    pareto_front,
    rank_biserial,
    sign_flip_p,
    smallest_p,
    standardised_difference,
    wilcoxon_p,
)

EXAMPLE = np.array([0.9, -0.4, 1.7, 0.6, 2.1, -0.2, 1.1])
RANKED = np.array([1.8, -0.6, 0.9, 0.4, -0.1, 2.2, 1.3, 0.7])


def counted(values: np.ndarray) -> float:
    """By the definition: the share of all signs that give as large a sum."""
    sizes = np.abs(values)
    sums = [abs(np.dot(signs, sizes)) for signs in itertools.product((-1, 1), repeat=len(sizes))]
    return float(np.mean([each >= abs(values.sum()) - 1e-12 for each in sums]))


@pytest.mark.parametrize("pairs", [1, 2, 3, 6, 11])
def test_all_signs_are_counted(pairs: int) -> None:
    values = np.random.default_rng(pairs).normal(0.4, 1, pairs)
    assert sign_flip_p(values) == pytest.approx(counted(values))


def test_an_example_by_hand() -> None:
    """1 + 2 + 3: of the eight signs only +++ and --- reach 6."""
    assert sign_flip_p(np.array([1.0, 2.0, 3.0])) == 0.25
    assert sign_flip_p(np.array([1.0, 2.0, -3.0])) == 1.0


def test_equal_sums_count_whatever_their_rounding() -> None:
    assert sign_flip_p(np.full(10, 0.1)) == 2 / 1024
    assert sign_flip_p(np.array([0.1, 0.2, -0.3, 0.1, 0.2])) == counted(np.array([1, 2, -3, 1, 2]))


def test_no_difference_is_no_evidence() -> None:
    assert sign_flip_p(np.zeros(8)) == 1
    assert wilcoxon_p(np.zeros(8)) == 1
    assert rank_biserial(np.zeros(8)) == 0
    assert standardised_difference(np.zeros(8)) is None


def test_thirty_subjects_are_exact_and_more_are_drawn() -> None:
    """On either side of the limit the p-value is about that of the normal approximation."""
    generator = np.random.default_rng(0)
    for pairs in (30, 60):
        values = generator.normal(0.3, 1, pairs)
        z = values.sum() / np.sqrt((values**2).sum())
        assert sign_flip_p(values) == pytest.approx(2 * (1 - _normal(abs(z))), abs=0.01)
    assert sign_flip_p(np.ones(30)) == 2.0**-29
    assert 0 < sign_flip_p(np.ones(60)) < 1e-4


def test_wilcoxon_is_the_published_exact_test() -> None:
    """W = 4 of eight pairs: 0.0546875 in the tables (the eight differences rank 7 -3 5 2 -1 8 6 4)."""
    assert wilcoxon_p(RANKED) == pytest.approx(14 / 256)
    assert wilcoxon_p(EXAMPLE) == pytest.approx(0.078125)


def test_wilcoxon_shares_ranks_of_ties_and_leaves_zeros_out() -> None:
    values = np.array([1.0, 0, -1, 0, 1, -1, 1, 0, 0, -1, 2])
    assert wilcoxon_p(values) == pytest.approx(0.765625)
    assert wilcoxon_p(values[values != 0]) == wilcoxon_p(values)


def test_the_effect_sizes_by_hand() -> None:
    values = np.array([1.0, 2.0, 3.0, 6.0])
    spread = np.sqrt(((values - 3) ** 2).sum() / 3)
    assert standardised_difference(values) == pytest.approx(3 / spread * (1 - 3 / 11))
    assert standardised_difference(values[:2]) is None
    # Of the ranks 7 3 5 2 1 8 6 4, those of -0.6 and -0.1 are negative: (32 - 4) / 36.
    assert rank_biserial(RANKED) == pytest.approx(28 / 36)
    assert rank_biserial(-RANKED) == pytest.approx(-28 / 36)
    assert rank_biserial(values) == 1


@pytest.mark.parametrize("pairs", [1, 2, 5, 6])
def test_the_smallest_p_is_reached_by_a_result_that_could_not_be_clearer(pairs: int) -> None:
    assert sign_flip_p(np.arange(1.0, pairs + 1)) == smallest_p(pairs)
    assert (smallest_p(pairs) < 0.05) == (pairs >= 6)


def _normal(z: float) -> float:
    from statistics import NormalDist

    return NormalDist().cdf(z)


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


def test_the_front_has_what_nothing_beats_in_both() -> None:
    points = [(0.3, 0.6), (0.2, 0.7), (0.25, 0.6), (0.3, 0.6), (0.1, 0.5)]
    assert pareto_front(points, ("higher", "higher")) == [1, 0, 3]


def test_directions_decide() -> None:
    points = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    assert pareto_front(points, ("higher", "lower")) == [0, 1, 2]
    assert pareto_front(points, ("lower", "lower")) == [0]
    assert pareto_front([], ("lower", "lower")) == []
