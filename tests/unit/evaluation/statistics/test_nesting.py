import numpy as np
import pytest

from imprint.evaluation.statistics.nesting import average, flat, replicates, widths

# Two subjects; the first has two training seeds, and a prompt that lost a picture.
UNEVEN = [
    [[np.array([1.0, 3.0]), np.array([5.0])], [np.array([0.0, 0.0]), np.array([4.0, 4.0])]],
    [[np.array([10.0, 10.0])]],
]


def test_macro_counts_every_branch_the_same() -> None:
    first = ((2 + 5) / 2 + (0 + 4) / 2) / 2
    assert average(UNEVEN, "macro") == pytest.approx((first + 10) / 2)


def test_pairs_counts_every_number_the_same() -> None:
    assert average(UNEVEN, "pairs") == pytest.approx((1 + 3 + 5 + 0 + 0 + 4 + 4 + 10 + 10) / 9)
    assert sorted(flat(UNEVEN)) == [0, 0, 1, 3, 4, 4, 5, 10, 10]


def test_a_level_is_as_wide_as_its_widest_node() -> None:
    assert widths(UNEVEN) == [2, 2, 2, 2]
    assert widths([[[np.array([1.0])]]]) == [1, 1, 1, 1]


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
