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

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imprint.errors import UserError
from imprint.files import write_json
from imprint.manifest import REMEDY, Manifest, read_manifest, updated
from imprint.types import Concept


class Run:
    """A run's folder. Creating the object touches nothing.

    `trust` are import paths of the user's own classes that may be made of what the manifest says; imprint's own always
    may.
    """

    def __init__(self, folder: Path, *, trust: Sequence[str] = ()) -> None:
        self.trust = trust
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
    def open(cls, folder: Path, *, trust: Sequence[str] = ()) -> "Run":
        """The run that lies in `folder`."""
        run = cls(folder, trust=trust)
        if not run.manifest.is_file():
            raise UserError(f"run={folder}: there is no run here (no manifest.json). Give the folder of a run.")
        return run

    @classmethod
    def finished(cls, folder: Path, *, trust: Sequence[str] = ()) -> "Run":
        """The finished run that lies in `folder`."""
        run = cls.open(folder, trust=trust)
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
        return self.read().status

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """What was taught; nothing, where the run did not get that far."""
        return self.read().concepts

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of what it was trained on. Raises UserError where its manifest does not say."""
        frame = self.read().frame
        if frame is None:
            raise UserError(f"{self.manifest}: it does not say which size was trained on (frame). {REMEDY}")
        return frame

    def read(self) -> Manifest:
        """Raises UserError for a manifest that cannot be read."""
        return read_manifest(self.manifest)

    def note(self, facts: Mapping[str, Any]) -> None:
        """Merges `facts` into the manifest."""
        write_json(self.manifest, updated(self.manifest, facts))
