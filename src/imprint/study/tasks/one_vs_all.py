"""task=one_vs_all: is it this subject, or another one?"""

from collections.abc import Iterator, Sequence
from typing import Literal

from torch import Tensor

from imprint.kinds import of_kind
from imprint.study.examples import Example, Material
from imprint.study.tasks.base import Question, Task, brier, is_of, ranking, surprise

OTHERS = ""  # no subject is called so


@of_kind("task/one_vs_all")
class OneVsAll(Task):
    """A classifier for each subject: subjects share none, so they are the clean unit of statistics. The others have as
    many positions as the subject, with the same share of drawn pictures, or "is it drawn?" would be learned.

    rivals  class: the others are those of the same class; all: all others
    """

    metrics = ("accuracy", "average_precision", "ndcg", "nll", "brier", "calibration_error")

    def __init__(self, *, rivals: Literal["class", "all"]) -> None:
        self.rivals = rivals

    def problems(self, material: Material) -> Iterator[str]:
        alone = [subject for subject in material.subjects if not self._rivals(material, subject)]
        if alone:
            yield (
                f"task.rivals=class: there is no other subject of the same class as {', '.join(alone[:5])}. Give more, "
                "or task.rivals=all."
            )

    def questions(self, material: Material) -> list[Question]:
        return [
            Question(
                subject,
                (subject, OTHERS),
                {subject: subject, **dict.fromkeys(self._rivals(material, subject), OTHERS)},
            )
            for subject in material.subjects
        ]

    def scores(
        self, question: Question, probabilities_NK: Tensor, tests: Sequence[Example]
    ) -> dict[str, dict[str, float]]:
        """The subject's photos and all others count the same, however many there are."""
        own_N = is_of(tests, question.name)
        if own_N.all() or not own_N.any():
            return {}
        sure_N = probabilities_NK[:, 0]
        hits, rejections = (sure_N[own_N] > 0.5).double().mean(), (sure_N[~own_N] <= 0.5).double().mean()
        own = {
            "accuracy": float(hits + rejections) / 2,
            "nll": (surprise(sure_N[own_N]) + surprise(probabilities_NK[~own_N, 1])) / 2,
            "brier": (brier(probabilities_NK[own_N], 0) + brier(probabilities_NK[~own_N], 1)) / 2,
            **ranking(sure_N, own_N),
        }
        return {question.name: own}

    def _rivals(self, material: Material, subject: str) -> list[str]:
        nouns = material.nouns
        return [
            other
            for other in material.subjects
            if other != subject and (self.rivals == "all" or nouns[other] == nouns[subject])
        ]
