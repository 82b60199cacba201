"""task=identify: which of all subjects is it?"""

from collections.abc import Sequence

from torch import Tensor

from imprint.kinds import of_kind
from imprint.study.examples import Example, Material
from imprint.study.tasks.base import Question, Task, is_of, ranking, surprise


@of_kind("task/identify")
class Identify(Task):
    """One classifier of all subjects. Accuracy is the share of a subject's photos that are taken for it; average
    precision and calibration are of its probability over all photos."""

    def questions(self, material: Material) -> list[Question]:
        subjects = material.subjects
        return [Question("", subjects, {subject: subject for subject in subjects})]

    def scores(
        self, question: Question, probabilities_NK: Tensor, tests: Sequence[Example]
    ) -> dict[str, dict[str, float]]:
        found = {}
        guesses_N = probabilities_NK.argmax(dim=1)
        for index, subject in enumerate(question.classes):
            own_N = is_of(tests, subject)
            found[subject] = {
                "accuracy": float((guesses_N[own_N] == index).double().mean()),
                "nll": surprise(probabilities_NK[own_N, index]),
                **ranking(probabilities_NK[:, index], own_N),
            }
        return found
