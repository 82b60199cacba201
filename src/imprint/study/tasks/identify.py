"""task=identify: which of all subjects is it?"""

from collections.abc import Sequence

from torch import Tensor

from imprint.kinds import of_kind
from imprint.study.examples import Example, Material
from imprint.study.tasks.base import Question, Task, told_apart


@of_kind("task/identify")
class Identify(Task):
    """One classifier of all subjects. Accuracy is the share of a subject's photos that are taken for it; average
    precision, NDCG and calibration are of its probability over all photos."""

    metrics = ("accuracy", "average_precision", "ndcg", "nll", "brier", "calibration_error")

    def questions(self, material: Material) -> list[Question]:
        subjects = material.subjects
        return [Question("", subjects, {subject: subject for subject in subjects})]

    def scores(
        self, question: Question, probabilities_NK: Tensor, tests: Sequence[Example]
    ) -> dict[str, dict[str, float]]:
        return told_apart(question, probabilities_NK, [one.subject for one in tests])
