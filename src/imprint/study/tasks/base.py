"""The interface of tasks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_average_precision, binary_calibration_error
from torchmetrics.functional.retrieval import retrieval_normalized_dcg

from imprint.study.examples import Example, Material
from imprint.study.learners.base import Gives, Learned
from imprint.study.order import Training

BINS = 15  # of the calibration error, as Guo et al. (2017) have them
LEAST = 1e-12  # a probability: the logarithm of none is infinite


class Question(NamedTuple):
    """What one classifier is to tell apart. `of` has the class of each subject that is learned from; `strangers` of
    those that it is tested on without having seen any of theirs. A subject in neither has no part in it."""

    name: str  # empty where there is one alone
    classes: tuple[str, ...]
    of: Mapping[str, str]
    strangers: Mapping[str, str] = {}

    @property
    def answers(self) -> dict[str, str]:
        """The class that a label of a row means: a subject's name, or the class's own."""
        return {**{label: label for label in self.classes if label}, **self.of}


class Task(ABC):
    """What a `task` configuration constructs.

    asks     what of a learner it looks at; a learner that does not give it is refused
    metrics  what it is scored by, that which it is about first
    unit     what its scores are by: they are compared, and intervals speak of others of them
    """

    asks: ClassVar[Gives] = "probabilities"
    metrics: ClassVar[tuple[str, ...]]
    unit: ClassVar[str] = "subject"

    def usable(self, material: Material) -> Material:
        """Without what it cannot learn from, and with a remark about that."""
        return material

    def problems(self, material: Material) -> Iterator[str]:
        """Why it could not be asked."""
        return iter(())

    @abstractmethod
    def questions(self, material: Material) -> list[Question]: ...

    def settings(self) -> Mapping[str, Any]:
        """What of its own changes answers, beside the question."""
        return {}

    def answers(self, learned: Learned, training: Training, tests: Sequence[Example]) -> Tensor:
        """What a cell keeps of each test picture: (N, K) numbers from 0 to 1, or (N, H, W) a class of each pixel, as
        uint8. It must not look at what the pictures are."""
        return learned.probabilities(tests)

    @abstractmethod
    def scores(
        self, question: Question, probabilities_NK: Tensor, tests: Sequence[Example]
    ) -> dict[str, dict[str, float]]:
        """By subject, and by the metric's name. `tests` are those that the question is about, or some of them: who has
        none among them has no score."""


def tested(question: Question, tests: Sequence[Example]) -> list[Example]:
    return [one for one in tests if one.subject in question.of or one.subject in question.strangers]


def ranking(probability_N: Tensor, is_own_N: Tensor) -> dict[str, float]:
    """What the probability of one class says about all pictures."""
    return {
        "average_precision": float(binary_average_precision(probability_N, is_own_N.long())),
        "ndcg": float(retrieval_normalized_dcg(probability_N, is_own_N.long())),
        "calibration_error": float(binary_calibration_error(probability_N, is_own_N.long(), n_bins=BINS)),
    }


def told_apart(question: Question, probabilities_NK: Tensor, answers: Sequence[str]) -> dict[str, dict[str, float]]:
    """Scores of one classifier of all, by class. `answers` are the right ones."""
    found = {}
    guesses_N = probabilities_NK.argmax(dim=1)
    right_N = torch.tensor([question.classes.index(answer) for answer in answers])
    for index, label in enumerate(question.classes):
        own_N = right_N == index
        if own_N.any():
            found[label] = {
                "accuracy": float((guesses_N[own_N] == index).double().mean()),
                "nll": surprise(probabilities_NK[own_N, index]),
                "brier": brier(probabilities_NK[own_N], index),
                **ranking(probabilities_NK[:, index], own_N),
            }
    return found


def brier(probabilities_NK: Tensor, right: int) -> float:
    """Brier's own score of several classes: the sum over them of squared distances."""
    wanted_K = torch.zeros(probabilities_NK.shape[1], dtype=probabilities_NK.dtype)
    wanted_K[right] = 1
    return float((probabilities_NK - wanted_K).square().sum(dim=1).mean())


def surprise(probability_N: Tensor) -> float:
    """Mean negative logarithm of the probabilities of the right answers."""
    return float(-probability_N.clamp(min=LEAST).log().mean())


def is_of(tests: Sequence[Example], subject: str) -> Tensor:
    return torch.tensor([one.subject == subject for one in tests])
