"""Filters that reject what is low."""

from collections.abc import Sequence

import pytest
from candidates import candidate, context, verdicts

from imprint.filters.base import Candidate, Context
from imprint.filters.cut import Cut


class Named(Cut):
    """Each candidate's number is its content."""

    def values(self, candidates: Sequence[Candidate], context: Context) -> Sequence[tuple[float, str]]:
        return [(float(one.content), "too low") for one in candidates]


def passed(cut: Cut, numbers: Sequence[float], subjects: Sequence[str] | None = None) -> list[bool]:
    pairs = zip(numbers, subjects or ["a"] * len(numbers), strict=True)
    found = verdicts(cut, [candidate(str(number), subject) for number, subject in pairs], context([]))
    assert [value for value, _ in found] == list(numbers)
    return [kept for _, kept in found]


def test_below_the_bound_is_rejected() -> None:
    assert passed(Named(least=0.5, drop=0), [0.4, 0.5, 0.6]) == [False, True, True]


def test_without_a_bound_nothing_is() -> None:
    assert passed(Named(least=None, drop=0), [-5, 7]) == [True, True]


@pytest.mark.parametrize(
    ("drop", "count", "kept"), [(0.1, 30, 27), (0.1, 9, 9), (0.25, 4, 3), (0.5, 3, 2), (0.9, 10, 1)]
)
def test_a_share_of_each_subject_is_dropped(drop: float, count: int, kept: int) -> None:
    numbers, subjects = [*range(count), *range(100, 100 + count)], ["a"] * count + ["b"] * count
    found = passed(Named(least=None, drop=drop), numbers, subjects)
    assert found == ([False] * (count - kept) + [True] * kept) * 2


def test_both_together_reject_what_either_does() -> None:
    assert passed(Named(least=2.5, drop=0.25), [0, 1, 2, 3]) == [False, False, False, True]
    assert passed(Named(least=0.5, drop=0.5), [0, 1, 2, 3]) == [False, False, True, True]


def test_equal_numbers_are_kept_together() -> None:
    assert passed(Named(least=None, drop=0.5), [1, 1, 1, 1]) == [True] * 4
