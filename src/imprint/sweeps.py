"""A sweep: the points of one grid or search, under a name. Its folder points at runs; it holds none.

<outputs>/sweeps/<name>/
    sweep.json       the question, the commands, the points in order: what each sets, and its run's folder
    report.html      the page about its points, written while they run
    summary.md       the results of its points
    launcher/        what a cluster's launcher leaves behind

A sweep may be launched again, with more points: they are added. A run may be a point of several sweeps.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from filelock import FileLock
from pydantic import BaseModel, StringConstraints, ValidationError

from imprint.errors import UserError
from imprint.files import write_json
from imprint.runs import Run

FOLDER = "sweeps"


class SweepSettings(NamedTuple):
    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")] | None  # a folder is called by it
    question: str | None  # shown on its report
    objectives: list[str]  # metrics


class PointRecord(BaseModel):
    overrides: list[str]
    run: str  # its folder, relative to the sweep's


class SweepRecord(BaseModel):
    """What sweep.json says."""

    question: str | None = None
    commands: list[str] = []  # each once, the last one last
    objectives: list[str] = []
    points: list[PointRecord] = []


class Point(NamedTuple):
    """What was set for it (`method.lr=1e-4`), and the run that it is."""

    overrides: tuple[str, ...]
    run: Run


class Sweep:
    """A sweep's folder. Creating the object touches nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = folder / "sweep.json"
        self.report = folder / "report.html"
        self.summary = folder / "summary.md"

    @classmethod
    def named(cls, name: str, outputs: Path) -> "Sweep":
        return cls(outputs / FOLDER / name)

    @classmethod
    def open(cls, folder: Path) -> "Sweep":
        """The sweep that lies in `folder`."""
        sweep = cls(folder)
        if not sweep.record.is_file():
            raise UserError(f"{folder}: there is no sweep here (no sweep.json).")
        return sweep

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def question(self) -> str:
        """What its author wants to know; empty, if they did not say."""
        return self._read().question or ""

    @property
    def commands(self) -> list[str]:
        """That launched it, each once, the latest last."""
        return self._read().commands

    @property
    def objectives(self) -> list[str]:
        """The metrics that its author named, the most important first."""
        return self._read().objectives

    @property
    def points(self) -> list[Point]:
        """In the order in which they were planned. A point's run may not have begun."""
        return [
            Point(tuple(point.overrides), Run((self.folder / point.run).resolve())) for point in self._read().points
        ]

    def note(self, *, question: str | None, command: str, objectives: Sequence[str], points: Sequence[Point]) -> None:
        """Adds a launch: its points come after those that are there already. Other programs may do so at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            self._note(question, command, objectives, points)

    def _note(self, question: str | None, command: str, objectives: Sequence[str], points: Sequence[Point]) -> None:
        before = self._read()
        known = {point.run.folder: point for point in self.points}
        known |= {point.run.folder.resolve(): point for point in points}
        commands = [earlier for earlier in before.commands if earlier != command]
        write_json(
            self.record,
            {
                "name": self.name,
                "question": question or before.question,
                "commands": [*commands, command],
                "objectives": list(objectives),
                "points": [
                    {"overrides": list(point.overrides), "run": os.path.relpath(folder, self.folder.resolve())}
                    for folder, point in known.items()
                ],
            },
        )

    def _read(self) -> SweepRecord:
        """Raises UserError where it cannot be read."""
        if not self.record.is_file():
            return SweepRecord()
        try:
            return SweepRecord.model_validate(json.loads(self.record.read_text(encoding="utf-8")))
        except (ValidationError, ValueError, RecursionError) as error:
            remedy = "it is damaged, or no record of a sweep. Delete it; the command that launched it writes it anew."
            raise UserError(f"{self.record}: {remedy}") from error
