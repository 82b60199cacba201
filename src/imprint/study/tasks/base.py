"""The interface of tasks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_average_precision, binary_calibration_error

from imprint.study.examples import Example, Material

BINS = 15  # of the calibration error, as Guo et al. (2017) have them
LEAST = 1e-12  # a probability: the logarithm of none is infinite


class Question(NamedTuple):
    """What one classifier is to tell apart. `of` has the class of each subject; a subject that is none of them has no
    part in it."""

    name: str  # empty where there is one alone
    classes: tuple[str, ...]
    of: Mapping[str, str]


class Task(ABC):
    """What a `task` configuration constructs."""

    def problems(self, material: Material) -> Iterator[str]:
        """Why it could not be asked."""
        return iter(())

    @abstractmethod
    def questions(self, material: Material) -> list[Question]: ...

    @abstractmethod
    def scores(
        self, question: Question, probabilities_NK: Tensor, tests: Sequence[Example]
    ) -> dict[str, dict[str, float]]:
        """By subject, and by the metric's name. `tests` are those that the question is about."""


def tested(question: Question, tests: Sequence[Example]) -> list[Example]:
    return [one for one in tests if one.subject in question.of]


def ranking(probability_N: Tensor, is_own_N: Tensor) -> dict[str, float]:
    """What the probability of one class says about all pictures."""
    return {
        "average_precision": float(binary_average_precision(probability_N, is_own_N.long())),
        "calibration_error": float(binary_calibration_error(probability_N, is_own_N.long(), n_bins=BINS)),
    }


def surprise(probability_N: Tensor) -> float:
    """Mean negative logarithm of the probabilities of the right answers."""
    return float(-probability_N.clamp(min=LEAST).log().mean())


def is_of(tests: Sequence[Example], subject: str) -> Tensor:
    return torch.tensor([one.subject == subject for one in tests])
