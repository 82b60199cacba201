"""task=retrieve: all photos of the test, ranked by how like a subject's own they are."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torchmetrics.functional.retrieval import retrieval_average_precision, retrieval_normalized_dcg

from imprint.evaluation.metrics.base import normalised
from imprint.kinds import of_kind
from imprint.study.examples import Example, Material
from imprint.study.learners.base import Learned, Representing
from imprint.study.order import Training
from imprint.study.tasks.base import Question, Task, is_of


@of_kind("task/retrieve")
class Retrieve(Task):
    """What was learned is looked at as a representation, in which cosines say how like two pictures are.

    known  photos: a subject is known by its photos alone; all: by the other pictures of the arm, too
    by     nearest: a picture is as like a subject as it is like the nearest of these; mean: as it is like their mean
    """

    asks = "features"
    metrics = ("average_precision", "ndcg")

    def __init__(self, *, known: Literal["photos", "all"], by: Literal["nearest", "mean"]) -> None:
        self.known = known
        self.by = by

    def questions(self, material: Material) -> list[Question]:
        subjects = material.subjects
        return [Question("", subjects, {subject: subject for subject in subjects})]

    def settings(self) -> Mapping[str, Any]:
        return {"known": self.known, "by": self.by}

    def answers(self, learned: Learned, training: Training, tests: Sequence[Example]) -> Tensor:
        """A cosine as a number from 0 to 1."""
        features = cast(Representing, learned).features
        tests_ND = normalised(features(tests), "task.retrieve")
        found = []
        for pool in training.pools.values():
            known = [*pool.photos, *(pool.pictures if self.known == "all" else ())]
            known_MD = normalised(features(known), "task.retrieve")
            if self.by == "mean":
                known_MD = normalised(known_MD.mean(dim=0, keepdim=True), "task.retrieve")
            found.append((tests_ND @ known_MD.T).amax(dim=1))
        return ((1 + torch.stack(found, dim=1)) / 2).clamp(0, 1).double()

    def scores(
        self, question: Question, probabilities_NK: Tensor, tests: Sequence[Example]
    ) -> dict[str, dict[str, float]]:
        found = {}
        for index, subject in enumerate(question.classes):
            own_N = is_of(tests, subject)
            if own_N.any():
                found[subject] = {
                    "average_precision": float(retrieval_average_precision(probabilities_NK[:, index], own_N)),
                    "ndcg": float(retrieval_normalized_dcg(probabilities_NK[:, index], own_N)),
                }
        return found
