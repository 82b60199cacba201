"""A sweep: the points of one grid or search, under a name. Its folder points at runs; it holds none.

<outputs>/sweeps/<name>/
    sweep.json       the question, the commands, the points in order: what each sets, and its run's folder
    report.html      the page about its points, written while they run
    summary.md       the results of its points
    launcher/        what a cluster's launcher leaves behind

A sweep may be launched again, with more points: they are added. A run may be a point of several sweeps.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from filelock import FileLock
from pydantic import BaseModel, StringConstraints, TypeAdapter

from imprint.errors import UserError
from imprint.file_contents import read_json, typed
from imprint.files import write_json
from imprint.runs import Run
from imprint.setting_types import FolderName

FOLDER = "sweeps"
REMEDY = "Delete it: the command that launched the sweep writes it anew."

log = logging.getLogger(__name__)


class SweepSettings(NamedTuple):
    name: Annotated[FolderName, StringConstraints(pattern=r"^[\w.-]+$")] | None
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


RECORD = TypeAdapter(SweepRecord)


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
        return list(self._inside(self._read().points))

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
        try:
            return typed(RECORD, read_json(self.record, REMEDY), self.record, REMEDY)
        except FileNotFoundError:
            return SweepRecord()

    def _inside(self, points: Sequence[PointRecord]) -> Iterator[Point]:
        """Those whose runs lie where the sweep's own outputs do: a record may be somebody else's."""
        outputs = self.folder.resolve().parent.parent
        left_out = 0
        for point in points:
            folder = Path(os.path.normpath(self.folder.resolve() / point.run))
            if "\0" not in point.run and folder.is_relative_to(outputs):
                yield Point(tuple(point.overrides), Run(folder.resolve()))
            else:
                left_out += 1
        if left_out:
            log.warning("%s names %d runs outside of %s. They are left out.", self.record, left_out, outputs)
