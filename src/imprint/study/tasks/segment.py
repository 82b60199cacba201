"""task=segment: where in a picture is each subject?"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, cast

import numpy as np
from annotated_types import MinLen
from PIL import Image
from torch import Tensor

from imprint.kinds import of_kind
from imprint.pictures.connected import around, largest
from imprint.study.examples import Example, Material, Quality
from imprint.study.learners.base import Gives, Learned, Segmenting
from imprint.study.order import Training
from imprint.study.tasks.base import Question, Task

MOST = 254  # classes, which a byte tells apart beside nobody
FOUND = 0.5  # of a box's IoU, from which on it counts as found: as COCO and VOC have it
HALF = 127  # of 255 levels: above, a pixel is the subject's
SHOWN = 5  # names in a message
TESTED_ON: tuple[Quality, ...] = ("exact", "given")


@of_kind("task/segment")
class Segment(Task):
    """One classifier of all pixels: nobody's, or a subject's. A mask says where in its picture a subject is; elsewhere
    is nobody.

    learn_from  which masks may be learned from: exact, as they were made; given, put beside a photo by somebody;
                estimated, found by an algorithm. Those of other kinds are left out

    It is tested on masks that are exact or given alone: who is measured by an estimate is measured by its mistakes.
    """

    name: ClassVar[str] = "segment"
    asks: ClassVar[Gives] = "maps"
    metrics: ClassVar[tuple[str, ...]] = ("iou", "dice", "box_iou", "found", "spill")

    def __init__(self, *, learn_from: Annotated[Sequence[Quality], MinLen(1)]) -> None:
        self.learn_from = learn_from

    def usable(self, material: Material) -> Material:
        pictures = [*filter(self._is_learned, material.pictures)]
        return replace(
            material,
            pictures=pictures,
            strangers=[],
            remarks=[*material.remarks, *self._remarks(material, pictures)],
        )

    def problems(self, material: Material) -> Iterator[str]:
        allowed = " or ".join(self.learn_from)
        photos = [photo for own in material.photos.values() for photo in own]
        if without := [photo for photo in photos if not self._is_learned(photo)]:
            yield (
                f"task={self.name} learns from photos with masks ({allowed}), and these have none: {_some(without)}. "
                "Put one beside each, NAME.mask.png, white where the subject is; or have them estimated (imprint "
                "masks) and say task.learn_from=[exact,given,estimated]."
            )
        if untested := [one for one in material.tests if not _is_tested_on(one)]:
            yield (
                f"task={self.name} tests on photos with masks that are exact or given, and these have none, or "
                f"estimated ones: {_some(untested)}. Put a mask beside each, NAME.mask.png, or leave the photos out."
            )
        if len(material.subjects) > MOST:
            yield f"task={self.name} tells up to {MOST} subjects apart, and there are {len(material.subjects)}."

    def questions(self, material: Material) -> list[Question]:
        subjects = material.subjects
        return [Question("", subjects, {subject: subject for subject in subjects})]

    def settings(self) -> Mapping[str, Any]:
        """Which masks it learns from is in what it learns from."""
        return {}

    def answers(self, learned: Learned, training: Training, tests: Sequence[Example]) -> Tensor:
        return cast(Segmenting, learned).maps(tests)

    def scores(self, question: Question, maps_NHW: Tensor, tests: Sequence[Example]) -> dict[str, dict[str, float]]:
        measured: dict[str, list[dict[str, float]]] = {}
        spilt: dict[str, list[float]] = {subject: [] for subject in question.classes}
        for map_HW, one in zip(maps_NHW, tests, strict=True):
            for number, subject in enumerate(question.classes, start=1):
                if subject == one.subject:
                    measured.setdefault(subject, []).append(_measured(map_HW == number, one))
                else:
                    spilt[subject].append(float((map_HW == number).double().mean()))
        return {
            subject: {
                **{name: float(np.mean([each[name] for each in own])) for name in own[0]},
                "spill": float(np.mean(spilt[subject])) if spilt[subject] else 0.0,
            }
            for subject, own in measured.items()
        }

    def _is_learned(self, one: Example) -> bool:
        return one.marking is not None and one.marking.quality in self.learn_from

    def _remarks(self, material: Material, pictures: Sequence[Example]) -> Iterator[str]:
        photos = [photo for own in material.photos.values() for photo in own]
        yield f"Masks that are learned from: {_qualities([*filter(self._is_learned, [*photos, *pictures])])}."
        yield f"Masks that are tested on: {_qualities([*filter(_is_tested_on, material.tests)])}."
        left_out = Counter(one.source for one in material.pictures if not self._is_learned(one))
        if left_out:
            listed = ", ".join(f"{count} by {source}" for source, count in sorted(left_out.items()))
            yield (
                f"Pictures without masks of a kind that is learned from are left out: {listed}. imprint synthesise "
                "masks=... has masks estimated."
            )


def _is_tested_on(one: Example) -> bool:
    return one.marking is not None and one.marking.quality in TESTED_ON


def _measured(found_HW: Tensor, one: Example) -> dict[str, float]:
    assert one.marking is not None
    mask = one.marking.load()
    true_HW = np.asarray(mask) > HALF
    drawn_HW = np.asarray(Image.fromarray(found_HW.numpy()).resize(mask.size, Image.Resampling.NEAREST))
    shared, both = int((drawn_HW & true_HW).sum()), int((drawn_HW | true_HW).sum())
    box = box_iou(around(largest(drawn_HW)), around(true_HW))
    return {
        "iou": shared / both if both else 1.0,
        "dice": 2 * shared / (shared + both) if both else 1.0,
        "box_iou": box,
        "found": float(box >= FOUND),
    }


def box_iou(one: Sequence[float] | None, other: Sequence[float] | None) -> float:
    if one is None or other is None:
        return float(one is other)
    sides = [min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis]) for axis in (0, 1)]
    shared = max(0, sides[0]) * max(0, sides[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def _qualities(examples: Sequence[Example]) -> str:
    counts = Counter(
        f"{one.marking.quality} by {one.marking.estimator}" if one.marking.estimator else one.marking.quality
        for one in examples
        if one.marking is not None
    )
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none"


def _some(examples: Sequence[Example]) -> str:
    more = f" and {len(examples) - SHOWN} more" if len(examples) > SHOWN else ""
    return ", ".join(one.key for one in examples[:SHOWN]) + more
