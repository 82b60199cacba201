"""Wilson's interval, on textbook values."""

from __future__ import annotations

import pytest

from imprint.miniature.quality.intervals import share


@pytest.mark.parametrize(
    ("right", "of", "low", "high"), [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)]
)
def test_wilsons_interval(right: int, of: int, low: float, high: float) -> None:
    counted = share(i < right for i in range(of))
    assert (counted["right"], counted["of"], counted["share"]) == (right, of, right / of)
    assert counted["low"] == pytest.approx(low, abs=1e-4)
    assert counted["high"] == pytest.approx(high, abs=1e-4)
