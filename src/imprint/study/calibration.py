"""Whether a learner is right as often as it says: of answers of equal probability, how many are right."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from imprint.study.cells import Cell, Result
from imprint.study.tasks.base import BINS

CLOSE = 1e-3  # by how much probabilities may miss a sum of 1


class Bin(NamedTuple):
    said: float  # mean probability of the answers
    right: float  # share of them that are right
    answers: int


class Sureness(NamedTuple):
    learner: str
    shots: int
    arm: str
    bins: Sequence[Bin]


def calibration(done: Sequence[tuple[Cell, Result]]) -> list[Sureness]:
    """Of the most probable class of each picture, over all questions and seeds. None of tasks whose cells have no
    probabilities of classes."""
    answers: dict[tuple[str, int, str], list[tuple[float, bool]]] = {}
    for cell, result in done:
        place = cell.place
        answers.setdefault((place.learner, place.shots, place.arm), []).extend(_answers(cell, result))
    return [Sureness(*place, _binned(own)) for place, own in answers.items() if own]


def _answers(cell: Cell, result: Result) -> Iterator[tuple[float, bool]]:
    classes, question = cell.training.classes, cell.question
    answers = {**question.of, **question.strangers}
    tests = [one for one in cell.tests if answers.get(one.subject) in classes]
    if not tests or len(classes) < 2 or not result.probabilities:
        return
    probabilities_NK = result.of(tests)
    sums_N = probabilities_NK.sum(dim=1)
    if probabilities_NK.shape[1] != len(classes) or not torch.allclose(sums_N, torch.ones_like(sums_N), atol=CLOSE):
        return
    sure_N, guesses_N = probabilities_NK.max(dim=1)
    for one, sure, guess in zip(tests, sure_N.tolist(), guesses_N.tolist(), strict=True):
        yield sure, classes[guess] == answers[one.subject]


def _binned(answers: Sequence[tuple[float, bool]]) -> list[Bin]:
    by_bin: dict[int, list[tuple[float, bool]]] = {}
    for sure, right in answers:
        by_bin.setdefault(min(int(sure * BINS), BINS - 1), []).append((sure, right))
    return [
        Bin(
            sum(sure for sure, _ in own) / len(own),
            sum(right for _, right in own) / len(own),
            len(own),
        )
        for _, own in sorted(by_bin.items())
    ]
