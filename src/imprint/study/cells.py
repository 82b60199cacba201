"""The cells of a study: an arm with so many shots, a seed, a learner and a question. Each has a file when it is done,
named by a hash of all that its numbers depend on, so that nothing is learned twice.

What is tested on has its part in it as pictures alone. Their labels are no part of a cell: they come in with the
scores, when all has been chosen and learned.
"""

import base64
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from annotated_types import Ge, Le
from PIL import Image
from pydantic import NonNegativeFloat, TypeAdapter
from torch import Tensor

from imprint.errors import UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.fingerprints import fingerprint, settings_of
from imprint.file_contents import read_json, typed
from imprint.files import write_json
from imprint.kinds import hashed_class
from imprint.study.arms import Arm
from imprint.study.examples import Example, Material
from imprint.study.learners.base import ABOUT_PLACES, Learner, Tools
from imprint.study.order import Pool, Training
from imprint.study.tasks.base import Question, Task, tested

VERSION = 1  # of what the numbers of a cell mean
REMEDY = "Delete it: the same command makes it again."
FOLDER = "cells"  # in the study's


class Place(NamedTuple):
    """Of a cell in the study."""

    arm: str
    shots: int
    seed: int
    learner: str
    question: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """What is kept of a cell. `probabilities` are by the content of the picture, in the order of the classes; of a task
    about places, `maps` have a class for each pixel instead, as PNG, or `boxes` five numbers of each class."""

    version: int
    place: Place
    choices: Mapping[str, float]
    weights: str
    seconds: NonNegativeFloat
    classes: Sequence[str]
    probabilities: Mapping[str, Sequence[Annotated[float, Ge(0), Le(1)]]]
    maps: Mapping[str, str] = field(default_factory=dict)
    boxes: Mapping[str, Sequence[Sequence[Annotated[float, Ge(0), Le(1)]]]] = field(default_factory=dict)

    def of(self, examples: Sequence[Example]) -> Tensor:
        """(N, K), (N, H, W) of maps, or (N, K, 5) of boxes"""
        if self.boxes:
            return torch.tensor([self.boxes[one.content] for one in examples], dtype=torch.double)
        if self.maps:
            return torch.stack([_map(self.maps[one.content]) for one in examples])
        return torch.tensor([self.probabilities[one.content] for one in examples], dtype=torch.double)


RESULT = TypeAdapter(Result)


@dataclass(frozen=True, kw_only=True)
class Cell:
    place: Place
    task: Task
    question: Question
    learner: Learner
    training: Training
    tests: Sequence[Example]
    identity: str

    @property
    def said(self) -> str:
        """Of it in a message."""
        place = self.place
        question = f", {place.question}" if place.question else ""
        return (
            f"{place.learner}, {place.arm}, {place.shots} shot{'s' * (place.shots != 1)}, seed {place.seed}{question}"
        )

    def run(self, tools: Tools) -> Result:
        began = time.perf_counter()
        learned = self.learner.learn(self.training, tools)
        answers = self.task.answers(learned, self.training, self.tests)
        by_content = dict(zip([one.content for one in self.tests], answers, strict=True))
        plain = {content: each.tolist() for content, each in by_content.items()} if self.task.asks != "maps" else {}
        return Result(
            version=VERSION,
            place=self.place,
            choices=dict(learned.choices),
            weights=learned.weights,
            seconds=round(time.perf_counter() - began, 3),
            classes=self.training.classes,
            probabilities=plain if self.task.asks != "boxes" else {},
            maps={content: _png(each) for content, each in by_content.items()} if self.task.asks == "maps" else {},
            boxes=plain if self.task.asks == "boxes" else {},
        )


def cells(
    material: Material,
    task: Task,
    questions: Sequence[Question],
    *,
    arms: Mapping[str, Arm],
    learners: Mapping[str, Learner],
    encoders: Mapping[str, Encoder],
    shots: Sequence[int],
    seeds: Sequence[int],
) -> Iterator[Cell]:
    photos_to_test = [*material.tests, *material.strangers]
    for few in shots:
        photos = material.first(few)
        for arm_name, arm in arms.items():
            pictures = arm.pictures(material, few)
            for learner_name, learner in learners.items():
                for seed in seeds:
                    for question in questions:
                        place = Place(arm_name, few, seed, learner_name, question.name)
                        training = Training(
                            pools={label: _pool(question, label, photos, pictures) for label in question.classes},
                            answers=question.answers,
                            share=arm.share,
                            augmentation=arm.augmentation,
                            seed=seed,
                            question=question.name,
                        )
                        # In an order that no label has a part in.
                        tests = sorted(tested(question, photos_to_test), key=lambda one: one.content)
                        looking = {role: encoders[role].fingerprint for role in learner.needs.encoders}
                        yield Cell(
                            place=place,
                            task=task,
                            question=question,
                            learner=learner,
                            training=training,
                            tests=tests,
                            identity=_identity(task, learner, looking, training, tests),
                        )


def _identity(
    task: Task, learner: Learner, encoders: Mapping[str, str], training: Training, tests: Sequence[Example]
) -> str:
    augmentation = training.augmentation
    # Tasks that ask for probabilities of the same classes share what is learned.
    asked: list[Any] = [] if task.asks == "probabilities" else [task.asks, dict(task.settings())]
    if task.asks in ABOUT_PLACES:
        seen = [one for pool in training.pools.values() for side in pool for one in side]
        asked += [[one.marking.content if one.marking else "" for one in seen]]
    return fingerprint(
        [
            *asked,
            VERSION,
            training.name,
            _settings(learner),
            encoders,
            None if augmentation is None else augmentation.identity(),
            training.share,
            {label: [[_hashed(one) for one in side] for side in pool] for label, pool in training.pools.items()},
            dict(training.answers),
            sorted(one.content for one in tests),
        ]
    )


def _pool(
    question: Question,
    label: str,
    photos: Mapping[str, Sequence[Example]],
    pictures: Mapping[str, Sequence[Example]],
) -> Pool:
    subjects = [subject for subject, own in question.of.items() if own == label]
    return Pool(
        [photo for subject in subjects for photo in photos[subject]],
        [picture for subject in subjects for picture in pictures[subject]],
    )


def _hashed(example: Example) -> list[Any]:
    return [example.content, example.number, example.parent, dict(example.labels)]


def _settings(part: object) -> list[Any]:
    return [hashed_class(type(part)), settings_of(part)]


def read(folder: Path, cell: Cell) -> Result | None:
    """None where it is not there, or cannot be read: it is then made again."""
    file = file_of(folder, cell)
    try:
        result: Result = typed(RESULT, read_json(file, REMEDY), file, REMEDY)
    except (FileNotFoundError, UserError):
        return None
    is_whole = result.version == VERSION and tuple(result.classes) == cell.training.classes
    known = result.probabilities.keys() | result.maps.keys() | result.boxes.keys()
    if not is_whole or not {one.content for one in cell.tests} <= known:
        return None
    with suppress(ValueError, OSError):
        if result.maps:
            result.of(cell.tests)  # that they are pictures
        return result
    return None


def write(folder: Path, cell: Cell, result: Result) -> None:
    write_json(file_of(folder, cell), asdict(result) | {"place": result.place._asdict()})


def file_of(folder: Path, cell: Cell) -> Path:
    return folder / FOLDER / f"{cell.identity}.json"


def _png(map_HW: Tensor) -> str:
    out = io.BytesIO()
    Image.fromarray(map_HW.numpy()).save(out, format="PNG")
    return base64.b64encode(out.getvalue()).decode()


def _map(text: str) -> Tensor:
    with Image.open(io.BytesIO(base64.b64decode(text)), formats=["PNG"]) as picture:
        return torch.from_numpy(np.array(picture.convert("L")))
