"""Who is called the best: told apart from every other contestant and from the untuned model, or nobody."""

from collections.abc import Mapping

import pytest
from unit.reporting.scoreboard.sheets import sheet

from imprint.reporting.scoreboard import Board, assemble
from imprint.reporting.scoreboard.tables import means
from imprint.tables.latex import latex
from imprint.tables.markdown import markdown

SUBJECTS = ("backpack", "can", "clock", "dog", "teapot", "vase", "cat")


def board(better_by: Mapping[str, float], *, metrics: tuple[str, ...] = ("dino",)) -> Board:
    sheets = [
        sheet(subject, method, better_by=better, prompts=6, metrics=metrics)
        for subject in SUBJECTS
        for method, better in better_by.items()
    ]
    return assemble(sheets, title="", costs={}, draws=400, seed=0)


def bold(found: Board, column: int = 1) -> list[object]:
    return [row.cells[0].value for row in means(found, "all").rows if row.cells[column].is_best]


def test_it_is_who_is_clearly_ahead() -> None:
    found = board({"lora": 0.0, "dreambooth": 0.1})
    assert bold(found) == ["dreambooth"]
    assert "**0." in markdown(means(found, "all"))
    assert r"\textbf{0." in latex(means(found, "all"))
    assert found.leaders["all", "dino"].word == "Best"


def test_of_two_that_cannot_be_told_apart_neither_is() -> None:
    found = board({"lora": 0.0, "dreambooth": 0.1, "loha": 0.1})
    assert bold(found) == []
    leader = found.leaders["all", "dino"]
    assert leader.word == "Highest"
    assert {leader.name, leader.alike} == {"dreambooth", "loha"}
    assert any("not beyond" in note for note in means(found, "all").notes)
    assert "**" not in markdown(means(found, "all"))


def test_nobody_is_who_is_not_beyond_the_untuned_model() -> None:
    """Clearly ahead of the other, and no better than what was there before training."""
    found = board({"lora": -0.3, "dreambooth": -0.2})
    assert bold(found) == []
    assert found.leaders["all", "dino"].alike == "the untuned model"


@pytest.mark.parametrize(("lora", "dreambooth", "best"), [(-0.6, -0.4, ["lora"]), (-0.4, -0.4, [])])
def test_lower_may_be_better(lora: float, dreambooth: float, best: list[str]) -> None:
    assert bold(board({"lora": lora, "dreambooth": dreambooth}, metrics=("pres",))) == best


def test_a_single_contestant_has_no_contest() -> None:
    assert board({"lora": 0.5}).leaders == {}


def test_noise_is_rarely_praised() -> None:
    """Two methods that are the same: a marked one is the 5% that an interval may miss, over 80 boards at most 10 but
    in one of 300 cases."""
    praised = 0
    for number in range(80):
        sheets = [
            sheet(f"{subject}{number}", method, prompts=4) for subject in SUBJECTS[:5] for method in ("lora", "loha")
        ]
        leader = assemble(sheets, title="", costs={}, draws=200, seed=0).leaders["all", "dino"]
        praised += leader.is_best
    assert praised <= 10
