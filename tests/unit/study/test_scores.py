"""Means, differences and shares of a gap."""

from collections.abc import Mapping, Sequence

import pytest
import torch

from imprint.study.examples import Example
from imprint.study.scores import Standing, _standings
from imprint.study.tasks.base import Question
from imprint.study.tasks.identify import Identify
from imprint.study.tasks.one_vs_all import OTHERS, OneVsAll

SUBJECTS = [f"subject{number}" for number in range(8)]


def arms(**by_arm: float) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Of each arm an accuracy that varies a little by subject and seed."""
    return {
        arm: {
            "accuracy": {
                subject: [mean + 0.01 * (index % 3) * (1 + seed) for seed in range(3)]
                for index, subject in enumerate(SUBJECTS)
            }
        }
        for arm, mean in by_arm.items()
    }


def standings(
    own: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], metric: str = "accuracy"
) -> dict[str, Standing]:
    return {one.arm: one for one in _standings(own, metric, {}, "classical", "truth")}


def test_differences_are_paired_and_tested() -> None:
    found = standings(arms(classical=0.5, synthetic=0.6, same=0.5, truth=0.7))
    assert found["classical"].difference is None
    difference = found["synthetic"].difference
    assert difference is not None
    assert difference.mean == pytest.approx(0.1)
    assert difference.p == pytest.approx(2 / 2**8)
    assert difference.p_holm >= difference.p
    assert difference.interval is not None
    assert difference.interval.excludes_zero
    same = found["same"].difference
    assert same is not None
    assert (same.mean, same.p) == (0, 1)


def test_no_interval_reaches_beyond_what_an_accuracy_can_be() -> None:
    found = standings(
        {arm: {"accuracy": {"a": [1.0], "b": [1.0], "c": [low]}} for arm, low in (("classical", 0.2), ("x", 0.9))}
    )
    assert found["classical"].interval is not None
    assert found["classical"].interval.high == 1
    assert found["classical"].interval.low >= 0


def test_the_share_of_the_gap_is_of_what_a_perfect_generator_gains() -> None:
    found = standings(arms(classical=0.5, synthetic=0.6, paste=0.65, worse=0.4, truth=0.7))
    assert found["synthetic"].closed == pytest.approx(0.5)
    assert found["paste"].closed == pytest.approx(0.75)
    assert found["worse"].closed == pytest.approx(-0.5)
    assert found["truth"].closed is None
    assert found["classical"].closed is None


def test_of_no_gap_there_is_no_share() -> None:
    for truth in (0.5, 0.4):
        found = standings(arms(classical=0.5, synthetic=0.6, truth=truth))
        assert found["synthetic"].closed is None
    assert standings(arms(classical=0.5, synthetic=0.6))["synthetic"].closed is None


def test_of_a_loss_a_gap_is_closed_downwards() -> None:
    own = arms(classical=0.7, synthetic=0.6, truth=0.5)
    found = standings({arm: {"nll": of["accuracy"]} for arm, of in own.items()}, "nll")
    assert found["synthetic"].closed == pytest.approx(0.5)


def tests_of(*subjects: str) -> list[Example]:
    return [
        Example(f"{subject}/{number}", 0, subject, "real", {subject: 1.0}, f"{number}", "", None, False, lambda: None)  # type: ignore[arg-type, return-value]
        for number, subject in enumerate(subjects)
    ]


def test_identify_scores_each_subject() -> None:
    question = Question("", ("cat", "dog"), {"cat": "cat", "dog": "dog"})
    sure = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], dtype=torch.double)
    found = Identify().scores(question, sure, tests_of("cat", "cat", "dog", "dog"))
    assert found["cat"]["accuracy"] == 0.5
    assert found["dog"]["accuracy"] == 1
    assert found["cat"]["average_precision"] == pytest.approx(1)
    assert found["dog"]["nll"] == pytest.approx(-(torch.tensor([0.8, 0.7]).log().mean().item()), rel=1e-5)


def test_one_against_all_counts_both_sides_the_same() -> None:
    question = Question("cat", ("cat", OTHERS), {"cat": "cat", "dog": OTHERS})
    sure = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]], dtype=torch.double)
    found = OneVsAll(rivals="all").scores(question, sure, tests_of("cat", "dog", "dog", "dog"))
    assert found["cat"]["accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["cat"]["average_precision"] == pytest.approx(1)
