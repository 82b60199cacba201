"""Names of sweeps."""

import pytest

from imprint.launching.plan import Asked, name_of

POINTS = [Asked((), (f"method.lr={rate}", f"seed={seed}")) for rate in (1, 2) for seed in (0, 1)]


def test_a_name_says_what_the_points_differ_in() -> None:
    assert name_of(POINTS, ["a", "b"]).startswith("lr-seed-")


def test_the_same_runs_have_the_same_name_in_whatever_order() -> None:
    assert name_of(POINTS, ["a", "b"]) == name_of(list(POINTS), ["b", "a"])
    assert name_of(POINTS, ["a", "b"]) != name_of(POINTS, ["a", "c"])


@pytest.mark.parametrize("key", ["dataset", "+metric@evaluation.metrics.vendi", "hydra/launcher"])
def test_a_name_is_one_that_a_folder_can_have(key: str) -> None:
    name = name_of([Asked((), (f"{key}=a",))], ["a"])
    assert "/" not in name


def test_many_axes_make_no_endless_name() -> None:
    points = [Asked((), tuple(f"method.a_rather_long_key_{number}=1" for number in range(20)))]
    assert len(name_of(points, ["a"])) < 60
