"""A run's folder: its files, and the content of its manifest.

<outputs>/<readable name>-<signature>/
    config.yaml      the resolved configuration, without secrets
    manifest.json    status, versions, hashes, timings; written at every change of status
    metrics.csv      one row a step: losses, rates
    checkpoints/     last.ckpt: the trained parameters, the optimiser, the position
    samples/         step-000100/00-s0.png ... and samples.json, the index of all of them
    pictures/        generated to be scored: a folder for each set of prompts and sampler, with pictures.json
    generated/       by `imprint generate`, with pictures.json
    scores/          <profile>-<fingerprint>.json and .csv, <profile>-<name>-<fingerprint> of each of several subjects;
                     curve.csv, where it was scored during the training
    result/          the trained result, as the method saves it
    progress/        step-000100/ ...: the result at these steps, where configured
    best/            the result with the best score, where a rule keeps it
    error.txt        the error, if it failed
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imprint.errors import UserError
from imprint.files import write_json
from imprint.manifest import REMEDY, Manifest, read_manifest, updated
from imprint.types import Concept


class Run:
    """A run's folder. The constructor reads and writes nothing.

    `trust` are import paths of the user's own classes that may be constructed from the manifest; imprint's own always
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
        self.lock = folder / ".lock"  # locked by the process that trains it

    @classmethod
    def open(cls, folder: Path, *, trust: Sequence[str] = ()) -> "Run":
        """The run in `folder`."""
        run = cls(folder, trust=trust)
        if not run.manifest.is_file():
            raise UserError(f"run={folder}: there is no run here (no manifest.json). Give the folder of a run.")
        return run

    @classmethod
    def finished(cls, folder: Path, *, trust: Sequence[str] = ()) -> "Run":
        """The finished run in `folder`."""
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
        """absent, running, failed or finished. That of a killed run is still running."""
        return self.read().status

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """What is taught; empty, where the run failed earlier."""
        return self.read().concepts

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of the training pictures. Raises UserError where the manifest does not have them."""
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
