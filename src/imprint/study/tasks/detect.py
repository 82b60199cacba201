"""task=detect: a box around each subject, and how sure it is."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from imprint.kinds import of_kind
from imprint.pictures.connected import around
from imprint.study.examples import Example
from imprint.study.learners.base import Detecting, Learned
from imprint.study.order import Training
from imprint.study.tasks.base import Question
from imprint.study.tasks.segment import HALF, Segment, box_iou

IOUS = np.linspace(0.5, 0.95, 10)  # as COCO has them, and the recalls at which precision is looked up
RECALLS = np.linspace(0, 1, 101)


@of_kind("task/detect")
class Detect(Segment):
    """As `segment`, from the same masks; of a photo to test on the right box is that around its mask. Of each subject
    all photos to test on are looked at, so a box on a photo of another one is a mistake.
    """

    name = "detect"
    asks = "boxes"
    metrics = ("box_ap", "box_ap50")

    def answers(self, learned: Learned, training: Training, tests: Sequence[Example]) -> Tensor:
        return cast(Detecting, learned).boxes(tests)

    def scores(self, question: Question, boxes_NK5: Tensor, tests: Sequence[Example]) -> dict[str, dict[str, float]]:
        right = [_right_box(one) for one in tests]
        found = {}
        for number, subject in enumerate(question.classes):
            own_N5 = boxes_NK5[:, number].numpy()
            is_own = np.array([one.subject == subject for one in tests])
            if not is_own.any():
                continue
            told_N = own_N5[:, 4] > 0
            ious_N = np.array([box_iou(box[:4], true) for box, true in zip(own_N5, right, strict=True)]) * is_own
            each = [average_precision(own_N5[told_N, 4], ious_N[told_N] >= iou, int(is_own.sum())) for iou in IOUS]
            found[subject] = {"box_ap": float(np.mean(each)), "box_ap50": each[0]}
        return found


def average_precision(sure_N: NDArray[np.float64], is_right_N: NDArray[np.bool_], there: int) -> float:
    """Of boxes, at most one on a picture, of which `there` are to be found: the mean over recalls of the highest
    precision at that recall or beyond, as COCO's own program counts."""
    order = np.argsort(-sure_N, kind="stable")
    right = np.cumsum(is_right_N[order])
    precision = right / np.arange(1, len(right) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(right / there, RECALLS, side="left")
    return float(np.mean([highest[place] if place < len(highest) else 0.0 for place in places]))


def _right_box(one: Example) -> tuple[float, ...] | None:
    """As shares of the picture's sides."""
    assert one.marking is not None
    mask = one.marking.load()
    box = around(np.asarray(mask) > HALF)
    return None if box is None else tuple(edge / mask.size[axis % 2] for axis, edge in enumerate(box))
