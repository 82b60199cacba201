from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from imprint.evaluation.statistics.crossing import Crossed, table_of_differences
from imprint.evaluation.statistics.intervals import (
    UNBOUNDED,
    Interval,
    difference_interval,
    mean_interval,
    student_quantile,
)
from imprint.evaluation.statistics.intervals import of_differences as of_differences_of

DRAWS = 4000


def crossed(values: NDArray[np.float64], *, rows: str | None = "subjects", columns: str | None = "prompts") -> Crossed:
    height = len(values)
    return Crossed(
        values=values,
        counts=np.ones_like(values),
        weights=np.full(height, 1 / height),
        clusters=np.arange(height),
        rows=rows,
        columns=columns,
        covers="",
    )


def of_mean(table: Crossed, seed: int = 0, draws: int = DRAWS) -> Interval:
    found = mean_interval(table, centre=float(table.values.mean()), draws=draws, seed=seed)
    assert found is not None
    return found


def of_differences(values: NDArray[np.float64], draws: int = DRAWS) -> Interval:
    """Of subjects with one number each."""
    table = table_of_differences({str(place): {0: float(value)} for place, value in enumerate(values)})
    found = difference_interval(table, centre=float(values.mean()), draws=draws, seed=0)
    assert found is not None
    return found


def test_what_no_mean_can_be_is_cut_off() -> None:
    """As of shares near 1. What lies within stays where it was, so the true mean is in it as often."""
    table = crossed(np.array([[1.0], [1.0], [1.0], [0.7]]), columns=None)
    free = of_mean(table)
    assert free.high > 1
    cut = mean_interval(table, centre=0.925, draws=DRAWS, seed=0, within=(0.0, 1.0))
    assert cut is not None
    assert (cut.low, cut.high) == (free.low, 1.0)
    assert of_differences_of((0.0, 1.0)) == (-1.0, 1.0)
    assert of_differences_of((0.0, None)) == UNBOUNDED


def width(interval: Interval) -> float:
    return interval.high - interval.low


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.7062047), (2, 4.3026527), (4, 2.7764451), (29, 2.0452296), (200, 1.9718962)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, expected: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(expected, rel=1e-6)
    assert student_quantile(0.5, freedom) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("subjects", [6, 12, 40])
def test_of_one_number_a_subject_it_is_students(subjects: int) -> None:
    """The bootstrap's own skew and steps aside, which more subjects have less of."""
    values = np.random.default_rng(0).normal(0.6, 0.1, (subjects, 1))
    half = student_quantile(0.975, subjects - 1) * float(values.std(ddof=1)) / subjects**0.5
    assert width(of_mean(crossed(values, columns=None))) == pytest.approx(2 * half, rel=0.08)


def test_prompts_that_all_subjects_share_move_all_of_them_at_once() -> None:
    """Subjects that do not differ at all: only the crossing tells that other prompts would give another mean."""
    prompts = np.random.default_rng(0).normal(0.6, 0.1, 12)
    table = crossed(np.tile(prompts, (30, 1)))
    half = student_quantile(0.975, 11) * float(prompts.std(ddof=1)) / 12**0.5
    assert width(of_mean(table)) == pytest.approx(2 * half, rel=0.08)
    assert width(of_mean(replace(table, columns=None))) == pytest.approx(0, abs=1e-9)


def test_both_draws_add_up() -> None:
    generator = np.random.default_rng(0)
    rows, columns = generator.normal(0, 0.1, (20, 1)), generator.normal(0, 0.1, (1, 20))
    both = width(of_mean(crossed(rows + columns)))
    alone = [width(of_mean(crossed(rows + columns, **{level: None}))) for level in ("rows", "columns")]
    assert both == pytest.approx(np.hypot(*alone), rel=0.06)


def test_subjects_that_are_all_of_a_few_classes_are_fewer_than_they_are() -> None:
    """Six classes of five equal subjects each know as much as six subjects."""
    classes = np.random.default_rng(0).normal(0.6, 0.1, (6, 1))
    thirty = replace(
        crossed(np.repeat(classes, 5, axis=0), columns=None), rows="classes", clusters=np.repeat(np.arange(6), 5)
    )
    assert width(of_mean(thirty)) == pytest.approx(width(of_mean(crossed(classes, columns=None))), rel=1e-6)


def test_a_missing_cell_leaves_the_rest_of_its_row() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.1, (6, 5))
    table = crossed(values)
    table.counts[2, 3] = 0
    filled = values.copy()
    filled[2, 3] = values[2, [0, 1, 2, 4]].mean()  # what its row has on average says nothing new
    assert width(of_mean(table)) == pytest.approx(width(of_mean(crossed(filled))), rel=0.1)


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly() -> None:
    table = crossed(np.random.default_rng(1).normal(0.6, 0.1, (6, 5)))
    first, again, other = (of_mean(table, seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert first.low == pytest.approx(other.low, abs=0.02)


def test_nothing_that_is_drawn_leaves_nothing_to_say() -> None:
    table = crossed(np.ones((2, 2)), rows=None, columns=None)
    assert mean_interval(table, centre=1.0, draws=100, seed=0) is None
    assert difference_interval(table, centre=1.0, draws=100, seed=0) is None


def test_equal_numbers_have_an_interval_of_one_number() -> None:
    found = of_differences(np.full(8, 0.1))
    assert found.low == found.high == pytest.approx(0.1)
    assert found.excludes_zero


def test_a_skewed_difference_has_its_longer_side_where_the_rare_ones_lie() -> None:
    values = np.exp(np.random.default_rng(0).normal(0, 1, 12))
    found = of_differences(values)
    assert found.high - values.mean() > 1.5 * (values.mean() - found.low)
    mirrored = of_differences(-values)
    assert mirrored.low == pytest.approx(-found.high, rel=0.1)


def test_differences_of_which_most_are_none_are_not_beyond_what_they_are() -> None:
    """Many a resample has equal ones alone, and no error of its own to be measured by."""
    found = of_differences(np.array([-0.1, *[0.0] * 7]))
    assert -1 < found.low <= -0.1 / 8 <= found.high < 1
