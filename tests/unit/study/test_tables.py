"""What is called ahead, and what is not."""

from typing import Any

import numpy as np
from unit.study.test_scores import arms, standings

from imprint.study.scores import Board
from imprint.study.tables import headlines, leading, main_table

NOISE = np.random.default_rng(0)


def board(own: dict[str, dict[str, dict[str, list[float]]]], shots: int = 4) -> Board:
    found: dict[str, Any] = {"accuracy": list(standings(own).values())}
    return Board(
        learner="resnet", shots=shots, unit="subject", standings=found, shifts={}, seconds=dict.fromkeys(own, 1.0)
    )


def noisy() -> dict[str, dict[str, dict[str, list[float]]]]:
    """Arms that differ by luck alone."""
    own = arms(classical=0.5, synthetic=0.5, paste=0.5, truth=0.5)
    for of in own.values():
        for numbers in of["accuracy"].values():
            numbers[:] = [float(number + NOISE.normal(0, 0.1)) for number in numbers]
    return own


def bold(found: Board) -> list[object]:
    table = main_table(found, against="classical", ceiling="truth")
    return [row.cells[0].value for row in table.rows if any(cell.is_best for cell in row.cells)]


def test_an_arm_is_the_best_where_it_is_ahead_of_each_other_by_more_than_luck() -> None:
    clear = board(arms(classical=0.5, synthetic=0.6, paste=0.65, truth=0.9))
    assert leading(clear, "accuracy", "truth") == "paste", "the ceiling is no contestant"
    assert bold(clear) == ["paste"]
    assert bold(board(noisy())) == []
    assert bold(board(arms(classical=0.5, synthetic=0.6, paste=0.6, truth=0.9))) == []


def test_headlines_say_who_gains_and_how_much_or_that_nobody_does() -> None:
    clear = board(arms(classical=0.5, synthetic=0.6, paste=0.65, truth=0.9))
    (said,) = headlines([clear], against="classical", ceiling="truth")
    assert said.startswith("resnet, 4 shots: paste +0.150 accuracy beside classical")
    assert "38% of what truth gains" in said
    few, many = board(noisy(), 1), board(noisy(), 16)
    (said,) = headlines([few, many], against="classical", ceiling="truth")
    assert said == "resnet, 1 and 16 shots: no arm is told to be ahead of classical in accuracy."


def test_what_is_behind_is_no_gain() -> None:
    (said,) = headlines([board(arms(classical=0.5, real=0.3))], against="classical", ceiling="truth")
    assert said == "resnet, 4 shots: no arm is told to be ahead of classical in accuracy; behind it: real."
