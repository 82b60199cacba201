import itertools
from statistics import NormalDist

import numpy as np
import pytest

from imprint.evaluation.statistics.intervals import interval, student_quantile


def tree(subjects: int, seeds: int, prompts: int, pictures: int, generator: np.random.Generator) -> list:
    """True mean 0.6; subjects differ by 0.1, seeds by 0.02, prompts by 0.05, pictures by 0.05."""
    return [
        [
            [
                0.6 + subject + seed + prompt + generator.normal(0, 0.05, pictures)
                for prompt in generator.normal(0, 0.05, prompts)
            ]
            for seed in generator.normal(0, 0.02, seeds)
        ]
        for subject in generator.normal(0, 0.1, subjects)
    ]


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.7062047), (2, 4.3026527), (4, 2.7764451), (29, 2.0452296), (200, 1.9718962)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, expected: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(expected, rel=1e-6)
    assert student_quantile(0.5, freedom) == pytest.approx(0, abs=1e-6)


def test_three_subjects_of_one_number_have_the_quantiles_of_all_27_resamples() -> None:
    numbers = [0.0, 1.0, 5.0]
    tail = NormalDist().cdf(-student_quantile(0.75, 2) * (3 / 2) ** 0.5)
    every = sorted(np.mean(picks) for picks in itertools.product(numbers, repeat=3))
    found = interval([[[np.array([number])]] for number in numbers], draws=200_000, seed=0, confidence=0.5)
    assert found is not None
    assert found.resampled == ("subjects",)
    # A quantile of 27 values is one of them: the one at which their shares pass the tail.
    assert found.low == pytest.approx(every[int(tail * 27)])
    assert found.high == pytest.approx(every[26 - int(tail * 27)])


def test_the_spread_of_many_subjects_is_that_of_their_means() -> None:
    means = np.random.default_rng(0).normal(0.6, 0.1, 200)
    found = interval([[[np.full(4, mean)] * 3] for mean in means], draws=20_000, seed=0)
    assert found is not None
    half = 1.96 * means.std(ddof=1) / 200**0.5
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.03)
    assert found.low + half == pytest.approx(means.mean(), abs=half / 10)


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly() -> None:
    scores = tree(6, 2, 5, 4, np.random.default_rng(1))
    first, again, other = (interval(scores, draws=2000, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert first is not None
    assert other is not None
    assert first.low == pytest.approx(other.low, abs=0.02)


def test_one_subject_is_resampled_below_and_says_so() -> None:
    found = interval(tree(1, 1, 10, 4, np.random.default_rng(0)), draws=500, seed=0)
    assert found is not None
    assert found.resampled == ("prompts", "pictures")


def test_one_number_has_no_interval() -> None:
    assert interval([[[np.array([0.5])]]], draws=100, seed=0) is None


def test_fewer_subjects_make_a_wider_interval() -> None:
    scores = tree(30, 1, 5, 4, np.random.default_rng(2))
    few, many = (interval(scores[:count], draws=2000, seed=0) for count in (5, 30))
    assert few is not None
    assert many is not None
    assert few.high - few.low > 2 * (many.high - many.low)


def test_pooled_numbers_weigh_subjects_by_their_pictures() -> None:
    """A subject with nine times the pictures pulls the middle of the draws to itself."""
    scores = [[[np.zeros(90)]], [[np.ones(10)]]]
    pooled = interval(scores, averaging="pairs", draws=5000, seed=0, confidence=0.01)
    macro = interval(scores, averaging="macro", draws=5000, seed=0, confidence=0.01)
    assert pooled is not None
    assert macro is not None
    assert pooled.high == pytest.approx(0.1)
    assert macro.high == pytest.approx(0.5)


@pytest.mark.slow
@pytest.mark.parametrize(("subjects", "at_least", "at_most"), [(3, 0.8, 0.93), (5, 0.9, 0.98), (30, 0.92, 0.99)])
def test_intervals_hold_the_true_mean_as_often_as_they_say(subjects: int, at_least: float, at_most: float) -> None:
    """But for fewer than five subjects: no resample goes beyond them, which the scoreboard says."""
    generator = np.random.default_rng(subjects)
    held = 0
    for _ in range(400):
        found = interval(tree(subjects, 1, 5, 2, generator), draws=600, seed=0)
        assert found is not None
        held += found.low <= 0.6 <= found.high
    assert at_least <= held / 400 <= at_most
