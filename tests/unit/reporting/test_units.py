import pytest

from imprint.reporting.units import MINUS, plus, score


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0.51234, "0.512"),
        (0.00123, "0.0012"),
        (0.000123, "0.000123"),
        (1.2e-5, "0.000012"),
    ],
)
def test_small_scores_have_their_digits_and_no_powers(value: float, read: str) -> None:
    assert score(value) == read
    assert score(-value) == f"{MINUS}{read}"
    assert plus(-1.2e-5) == f"{MINUS}0.000012"
