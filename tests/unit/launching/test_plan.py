"""Names of sweeps."""

import pytest

from imprint.launching.plan import SweepPoint, sweep_name

POINTS = [SweepPoint((), (f"method.lr={rate}", f"seed={seed}")) for rate in (1, 2) for seed in (0, 1)]


def test_a_name_says_what_the_points_differ_in() -> None:
    assert sweep_name(POINTS, ["a", "b"]).startswith("lr-seed-")


def test_the_same_runs_have_the_same_name_in_whatever_order() -> None:
    assert sweep_name(POINTS, ["a", "b"]) == sweep_name(list(POINTS), ["b", "a"])
    assert sweep_name(POINTS, ["a", "b"]) != sweep_name(POINTS, ["a", "c"])


@pytest.mark.parametrize("key", ["dataset", "+metric@evaluation.metrics.vendi", "hydra/launcher"])
def test_a_name_is_one_that_a_folder_can_have(key: str) -> None:
    name = sweep_name([SweepPoint((), (f"{key}=a",))], ["a"])
    assert "/" not in name


def test_many_axes_make_no_endless_name() -> None:
    points = [SweepPoint((), tuple(f"method.a_rather_long_key_{number}=1" for number in range(20)))]
    assert len(sweep_name(points, ["a"])) < 60
