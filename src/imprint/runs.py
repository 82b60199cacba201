"""A run's folder: what lies in it, and what its manifest says.

<outputs>/<readable name>-<signature>/
    config.yaml      the resolved configuration, without secrets
    manifest.json    status, versions, hashes, timings; written at every change of status
    metrics.csv      one row a step: losses, rates
    checkpoints/     last.ckpt: what trains, the optimiser, the position
    samples/         step-000100/00-s0.png ... and samples.json, the index of all of them
    pictures/        drawn to be scored: a folder for each set of prompts and way of drawing, with pictures.json
    generated/       what `imprint generate` draws, with pictures.json
    scores/          <profile>-<fingerprint>.json and .csv, <profile>-<name>-<fingerprint> of each of several subjects;
                     curve.csv, where it was scored while it trained
    result/          what the method saves: the thing that was trained
    progress/        step-000100/ ...: the same as it was on the way, where that was asked for
    best/            the result that scored best, where a rule keeps it
    error.txt        why it stopped, if it failed
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imprint.errors import UserError
from imprint.files import write_json
from imprint.types import Concept


class Run:
    """A run's folder. Creating the object touches nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.manifest = folder / "manifest.json"
        self.metrics = folder / "metrics.csv"
        self.checkpoint = folder / "checkpoints" / "last.ckpt"
        self.samples = folder / "samples"
        self.sample_index = folder / "samples" / "samples.json"
        self.result = folder / "result"
        self.progress = folder / "progress"
        self.score_curve = folder / "scores" / "curve.csv"
        self.scoring_error = folder / "scores" / "error.txt"
        self.best = folder / "best"
        self.error = folder / "error.txt"
        self.lock = folder / ".lock"  # held by the process that trains it

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """The run that lies in `folder`."""
        run = cls(folder)
        if not run.manifest.is_file():
            raise UserError(f"run={folder}: there is no run here (no manifest.json). Give the folder of a run.")
        return run

    @classmethod
    def finished(cls, folder: Path) -> "Run":
        """The finished run that lies in `folder`."""
        run = cls.open(folder)
        if run.status != "finished":
            raise UserError(
                f"run={folder}: this run is {run.status}. Give the command that began it again, to finish it."
            )
        return run

    @property
    def signature(self) -> str:
        return self.folder.name.rpartition("-")[2]

    @property
    def status(self) -> str:
        """absent, running, failed or finished. A run that was killed still says running."""
        return str(self.read().get("status", "absent"))

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """What was taught; nothing, where the run did not get that far."""
        return tuple(Concept(**words) for words in self.read().get("concepts", ()))

    def read(self) -> dict[str, Any]:
        if not self.manifest.is_file():
            return {}
        content: dict[str, Any] = json.loads(self.manifest.read_text(encoding="utf-8"))
        return content

    def note(self, facts: Mapping[str, Any]) -> None:
        """Merges `facts` into the manifest."""
        write_json(self.manifest, {**self.read(), **facts})
