"""task=classify: of which class is it? Several subjects may be of one class."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from imprint.kinds import of_kind
from imprint.study.examples import Example, Material
from imprint.study.tasks.base import Question, Task, told_apart


@of_kind("task/classify")
class Classify(Task):
    """One classifier of all classes, where the class is that of the rows. It is tested on subjects of these classes
    that nothing was learned of, too. Scores are by class, so that a mean counts classes alike, whatever their sizes."""

    metrics = ("accuracy", "average_precision", "ndcg", "nll", "brier", "calibration_error")
    unit = "class"

    def problems(self, material: Material) -> Iterator[str]:
        classes = sorted({material.nouns[subject] for subject in material.subjects})
        if len(classes) < 2:
            yield (
                f"task=classify: all subjects are of one class, {classes[0]}, and there is nothing to tell apart. Give "
                "subjects of another one, or task=identify."
            )

    def questions(self, material: Material) -> list[Question]:
        of = {subject: material.nouns[subject] for subject in material.subjects}
        classes = tuple(sorted(set(of.values())))
        strangers = {
            one.subject: material.nouns[one.subject]
            for one in material.strangers
            if material.nouns[one.subject] in classes
        }
        return [Question("", classes, of, strangers)]

    def scores(
        self, question: Question, probabilities_NK: Tensor, tests: Sequence[Example]
    ) -> dict[str, dict[str, float]]:
        classes = {**question.strangers, **question.of}
        return told_apart(question, probabilities_NK, [classes[one.subject] for one in tests])
