"""A coarse version of experiments/coverage: intervals that claim 95% have the true value in 93% of cases or more."""

import importlib.util
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SIMULATION = Path(__file__).parents[4] / "experiments" / "coverage" / "simulate.py"
TIMES = 200
CLAIMED = 0.93
UNLUCKY = 1e-4  # of intervals that hold exactly what is claimed, so few series of TIMES fail


def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate", SIMULATION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


simulate: Any = simulation()
CASES: dict[str, Callable[..., Any]] = {
    "prompts are few and shared": partial(simulate.of_mean, design=(30, 4, 2)),
    "subjects are three": partial(simulate.of_mean, design=(3, 8, 1)),
    "subjects of a class are alike": partial(simulate.of_mean, design=(30, 4, 2), icc=0.7),
    "differences of few prompts": partial(simulate.of_difference, design=(9, 4, 2), is_skewed=False),
    "five skewed differences": partial(simulate.of_single_numbers, subjects=5, is_skewed=True),
    "nine skewed differences": partial(simulate.of_single_numbers, subjects=9, is_skewed=True),
}


def at_least() -> int:
    """The number that a series has fewer of in UNLUCKY of cases, by the binomial distribution."""
    below, hits = 0.0, 0
    while (below := below + math.comb(TIMES, hits) * CLAIMED**hits * (1 - CLAIMED) ** (TIMES - hits)) < UNLUCKY:
        hits += 1
    return hits


@pytest.mark.parametrize("case", CASES)
def test_they_have_the_true_value_as_often_as_they_say(case: str) -> None:
    for share, _, _ in simulate.covered(CASES[case], TIMES):
        assert round(share * TIMES) >= at_least()


@pytest.mark.parametrize("subjects", [3, 4])
def test_so_few_differences_say_nothing_of_other_subjects(subjects: int) -> None:
    of_few = simulate.of_single_numbers(simulate.np.random.default_rng(0), subjects=subjects, is_skewed=True)
    assert of_few.interval is None
