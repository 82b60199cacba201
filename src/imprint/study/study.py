"""A study that is asked for: checked, told what it would be, and carried out."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import imprint
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.features import FeatureStore
from imprint.partial_files import remove_abandoned
from imprint.reporting.tracking.session import WandbSettings
from imprint.reporting.units import duration
from imprint.study import arms as arms_
from imprint.study.arms import Arm, Member
from imprint.study.cells import Cell, Result, cells, file_of, read
from imprint.study.examples import Material
from imprint.study.findings import Findings
from imprint.study.learners.base import ABOUT_PLACES, Learner, Tools
from imprint.study.learning import learn_missing, missing
from imprint.study.scores import Board, boards
from imprint.study.tables import counted
from imprint.study.tasks.base import Question, Task
from imprint.study.tracking import log_study
from imprint.study.writing import write
from imprint.suggestions import nearest
from imprint.tables.table import Table

log = logging.getLogger(__name__)

BATCH_SIZE = 64  # of encoders: changes only memory and speed
FEW_SEEDS = 3  # below, luck of the seed is not told from anything else


@dataclass(frozen=True, kw_only=True)
class Study:
    """`against` and `ceiling` are names of arms; the ceiling need not be among them. `members` says of each arm which
    of the configuration's it is, and with how many pictures."""

    folder: Path
    material: Material
    task: Task
    arms: Mapping[str, Arm]
    members: Mapping[str, Member]
    learners: Mapping[str, Learner]
    encoders: Mapping[str, Encoder]
    shots: Sequence[int]
    seeds: Sequence[int]
    against: str
    ceiling: str
    device: torch.device

    @cached_property
    def questions(self) -> list[Question]:
        return self.task.questions(self.material)

    @cached_property
    def features(self) -> FeatureStore:
        needed = {role for learner in self.learners.values() for role in learner.needs.encoders}
        return FeatureStore(
            encoders={role: encoder for role, encoder in self.encoders.items() if role in needed},
            batch_size=BATCH_SIZE,
            device=self.device,
        )

    @cached_property
    def cells(self) -> list[Cell]:
        return list(
            cells(
                self.material,
                self.task,
                self.questions,
                arms=self.arms,
                learners=self.learners,
                encoders=self.encoders,
                shots=self.shots,
                seeds=self.seeds,
            )
        )

    def check(self) -> None:
        """Raises ConfigError with everything that is wrong, before anything is learned."""
        problems: list[Problem | str] = [*self._unnamed(), *self.task.problems(self.material)]
        problems += arms_.problems(self.arms, self.material, self.shots)
        for name, learner in self.learners.items():
            problems += learner.problems(self.encoders, f"learners.{name}")
            if self.task.asks not in learner.gives:
                problems.append(
                    f"learners.{name}: it gives {' and '.join(sorted(learner.gives))}, and this task asks for "
                    f"{self.task.asks}. Take another one (docs/study.md), or another task."
                )
        if self.task.asks in ABOUT_PLACES:
            problems += [
                f"arms.{name}.augmentation: it does not say where a picture's parts go, which this task must know. "
                "Take augmentation/classical, or null."
                for name, arm in self.arms.items()
                if arm.augmentation is not None and not arm.augmentation.moves_masks
            ]
        try:
            needs = {f"learners.{name}": learner.needs for name, learner in self.learners.items()}
            self.features.check(needs, "encoders")
        except UserError as error:
            problems += str(error).splitlines()
        if problems:
            raise ConfigError(problems)

    def remarks(self) -> Iterator[str]:
        """What one should know of its numbers."""
        yield from self.material.remarks
        yield from arms_.unused(self.arms, self.material)
        if len(self.seeds) < FEW_SEEDS:
            yield f"seeds={list(self.seeds)}: at least {FEW_SEEDS} tell the luck of a seed from an arm's effect."
        for name, learner in self.learners.items():
            for role in learner.needs.encoders:
                if self.encoders[role].fingerprint in self.material.filters_looked_with:
                    yield (
                        f"learners.{name}: filters chose the pictures by the very encoder ({self.encoders[role].name}) "
                        "that is tested here, which is in favour of what they kept. Filter with another, or judge by "
                        "another learner."
                    )

    def plan(self) -> Iterator[str]:
        left = self.missing()
        material = self.material
        yield (
            f"{self.folder}: {counted(len(self.cells), 'cell')} (arms: {', '.join(self.arms)}; shots: "
            f"{', '.join(map(str, self.shots))}; seeds: {', '.join(map(str, self.seeds))}; learners: "
            f"{', '.join(self.learners)}, with {counted(len(self.questions), 'classifier')} each); "
            f"{len(self.cells) - len(left)} are there."
        )
        tests = Counter(one.subject for one in material.tests)
        for subject in material.subjects:
            yield (
                f"  {subject} ({material.nouns[subject]}): {counted(len(material.photos[subject]), 'photo')}, "
                f"{tests[subject]} to test on"
            )
        for few in self.shots:
            for name, arm in self.arms.items():
                pictures = list(arm.pictures(material, few).values())
                counts = sorted({len(own) for own in pictures})
                sources = sorted({one.source for own in pictures for one in own})
                made = f", and {' to '.join(map(str, counts[:: len(counts) - 1 or 1]))} by {', '.join(sources)}"
                yield f"  {name}: {counted(few, 'photo')} of each{made if sources else ''}"
        if (seconds := self._seconds(left)) is not None:
            yield f"It takes about {duration(seconds)}, going by the cells that are there."

    def carry_out(self, tracking: WandbSettings | None = None) -> list[Table]:
        """Learns what is missing, and writes the results, at W&B too with `tracking`. Returns the tables."""
        remarks = list(self.remarks())
        for remark in remarks:
            log.warning(remark)
        self.learn()
        findings = self.findings(remarks)
        tables = write(findings)
        if tracking is not None:
            log_study(findings, tracking)
        return tables

    def findings(self, remarks: Sequence[str]) -> Findings:
        done = self.done()
        return Findings(
            folder=self.folder,
            material=self.material,
            arms=self.arms,
            members=self.members,
            shots=self.shots,
            seeds=self.seeds,
            against=self.against,
            ceiling=self.ceiling,
            done=done,
            boards=self.boards(done),
            about=self._about(done, remarks),
        )

    def learn(self) -> None:
        """Learns what is missing, with other processes that carry out the same study."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(self.folder)
        learn_missing(self.folder, self.cells, self.tools)

    def missing(self) -> list[Cell]:
        return missing(self.folder, self.cells)

    def done(self) -> list[tuple[Cell, Result]]:
        return [(cell, result) for cell in self.cells if (result := read(self.folder, cell)) is not None]

    def boards(self, done: Sequence[tuple[Cell, Result]]) -> list[Board]:
        return boards(self.task, done, nouns=self.material.nouns, against=self.against, ceiling=self.ceiling)

    @property
    def tools(self) -> Tools:
        return Tools(self.features, self.encoders, self.device)

    def _about(self, done: Sequence[tuple[Cell, Result]], remarks: Sequence[str]) -> dict[str, Any]:
        material = self.material
        return {
            "imprint": imprint.__version__,
            "against": self.against,
            "ceiling": self.ceiling,
            "facts": {
                "task": type(self.task).__name__,
                "subjects": f"{len(material.subjects)}: {', '.join(material.subjects)}",
                "photos to test on": len(material.tests),
                "seeds": ", ".join(map(str, self.seeds)),
                "chosen by photos to train on": "; ".join(dict.fromkeys(_chosen(done))) or "nothing",
            },
            "remarks": list(remarks),
            "cells": [
                {**cell.place._asdict(), "file": file_of(self.folder, cell).name, "choices": dict(result.choices)}
                for cell, result in done
            ],
        }

    def _unnamed(self) -> Iterator[Problem | str]:
        if not self.arms:
            yield "arms: there is none. Give some: arms=[real,classical,synthetic]."
        elif self.against not in self.arms:
            yield Problem("against", self.against, f"it is no arm of these; {nearest(self.against, self.arms)}")
        if not self.learners:
            yield "learners: there is none. Give some: learners=[probe,resnet]."

    def _seconds(self, left: Sequence[Cell]) -> float | None:
        """Of what is left; None where nothing is known, or nothing is left."""
        known: dict[str, list[float]] = {}
        for cell in self.cells:
            if (result := read(self.folder, cell)) is not None:
                known.setdefault(cell.place.learner, []).append(result.seconds)
        if not left or any(cell.place.learner not in known for cell in left):
            return None
        return sum(sum(own) / len(own) for own in (known[cell.place.learner] for cell in left))


def _chosen(done: Sequence[tuple[Cell, Result]]) -> Iterator[str]:
    counts = Counter(
        (cell.place.learner, cell.place.arm, name, value)
        for cell, result in done
        for name, value in result.choices.items()
    )
    for (learner, arm, name, value), count in counts.items():
        yield f"{learner}, {arm}: {name} {value:g} ({count} times)"
