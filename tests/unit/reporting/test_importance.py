import pytest

from imprint.reporting.hyperparameters import Share, binned, eta_squared

# A table of two settings, worked out by hand: 2 x 3 runs, mean 6.
#          a: 1  a: 2  a: 3   mean
#   b: x     2     5     8     5     between the rows:    3 (5 - 6)^2 + 3 (7 - 6)^2 = 6
#   b: y     4     7    10     7     between the columns: 2 (3 - 6)^2 + 2 (6 - 6)^2 + 2 (9 - 6)^2 = 36
#   mean     3     6     9     6     in all: 16 + 1 + 4 + 4 + 1 + 16 = 42
A, B, VALUES = [1, 2, 3, 1, 2, 3], ["x", "x", "x", "y", "y", "y"], [2.0, 5.0, 8.0, 4.0, 7.0, 10.0]


def test_it_is_the_share_of_the_sum_of_squares_between_the_groups() -> None:
    assert eta_squared(A, VALUES) == pytest.approx(Share(36 / 42, 2 / 5))
    assert eta_squared(B, VALUES) == pytest.approx(Share(6 / 42, 1 / 5))


def test_two_settings_without_interaction_explain_all_of_it_together() -> None:
    shares = [eta_squared(groups, VALUES) for groups in (A, B)]
    assert sum(share.explained for share in shares if share) == pytest.approx(1)


def test_neither_order_nor_unit_matter() -> None:
    turned = eta_squared(A[::-1], [1000 * value - 5 for value in VALUES[::-1]])
    assert turned == pytest.approx(eta_squared(A, VALUES))


@pytest.mark.parametrize(
    ("groups", "values"),
    [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [1, 2, 3]), ([1, 1, 2], [0.1, 0.1, 0.1]), ([], [])],
    ids=["one group", "each alone", "nothing varies", "nothing"],
)
def test_where_it_means_nothing_there_is_none(groups: list[int], values: list[float]) -> None:
    assert eta_squared(groups, values) is None


def test_numbers_that_are_chosen_at_random_are_cut_into_thirds() -> None:
    assert binned([1e-4, 1e-3, 1e-4, 1e-3]) == [0, 1, 0, 1]
    assert binned([1e-4, 1e-3, 1e-2]) == [0, 1, 2], "of few, each is its own"
    assert binned([0.9, 0.1, 0.5, 0.2, 0.6, 0.8]) == [2, 0, 1, 0, 1, 2]
