"""The distances know their closed forms, and see what differs."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.miniature.quality.distances import frechet, kernel


def normal(count: int, *, shift: float = 0.0, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (count, 4))


def test_equal_samples_have_no_frechet_distance() -> None:
    assert frechet(normal(200), normal(200)) == pytest.approx(0, abs=1e-6)


def test_frechet_is_the_closed_form_of_two_gaussians() -> None:
    # 4 dimensions, means 2 apart in each, deviations 1 and 3: 4 * (2^2 + (3 - 1)^2).
    apart = frechet(normal(200_000), normal(200_000, shift=2, scale=3, seed=1))
    assert apart == pytest.approx(32, rel=0.02)


def test_kernel_is_unbiased_around_zero_and_grows_with_the_gap() -> None:
    same = [kernel(normal(60, seed=i), normal(60, seed=100 + i)) for i in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))
    assert min(same) < 0 < max(same)
    gaps = [kernel(normal(200), normal(200, shift=shift, seed=1)) for shift in (0.0, 0.5, 1.0)]
    assert gaps[0] < gaps[1] < gaps[2]
