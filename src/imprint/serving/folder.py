"""What lies in the folder that is served: runs and sweeps by name, and nothing that is outside of it.

Runs may be somebody else's. A run is left out where a link in it leads out of the folder: what a page reads of it, an
error or a picture, could be any file of this machine.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from imprint.claims import is_locked
from imprint.errors import UserError
from imprint.partial_files import files_named
from imprint.pictures.store import INDEX, is_inside, read_index
from imprint.reporting.file_cache import modification_time
from imprint.reporting.record import RunRecord, read_run
from imprint.runs import Run
from imprint.sweeps import FOLDER, Sweep

READ = ("scores", "samples", "pictures", "generated", "result")  # folders of a run that are read for pages and drawing
SAMPLES, GENERATED = "samples", "generated"
PICTURE = ".png"

Version = tuple[int, ...]


class NotServed(UserError):
    """Nothing of this name is here to be shown."""


class Listed(NamedTuple):
    """A run below the folder."""

    key: str  # its folder, relative to the one that is served
    record: RunRecord
    changed: float  # seconds since the epoch
    version: Version  # another one whenever a page about it would be another one

    @property
    def total(self) -> int | None:
        """Steps that it was to train."""
        steps = self.record.settings.get("hparams.steps", "")
        return int(steps) if steps.isdecimal() else None


class ServedFolder:
    """Reads only. Whatever is asked for by a name is looked for below the folder, wherever links lead."""

    def __init__(self, folder: Path, *, trust: Sequence[str]) -> None:
        """Raises UserError where there is no such folder."""
        if not folder.is_dir():
            raise UserError(f"folder={folder}: there is no such folder. Give one that holds runs.")
        if Sweep(folder).record.is_file():
            outputs = folder.resolve().parent.parent
            raise UserError(f"folder={folder}: the runs of this sweep lie elsewhere. imprint serve {outputs}")
        self.root = folder.resolve()
        self._trust = trust
        self._read: dict[Path, Listed] = {}

    def runs(self) -> tuple[list[Listed], int]:
        """All that can be shown, the one that changed last first; and how many cannot."""
        folders = [file.parent for file in files_named("manifest.json", self.root)]
        found = [listed for folder in folders if (listed := self._listed(folder))]
        self._read = {self.root / listed.key: listed for listed in found}
        return sorted(found, key=lambda each: (-each.changed, each.key)), len(folders) - len(found)

    def listed(self, key: str) -> Listed:
        """Raises NotServed."""
        found = self._listed(self._below(key))
        if found is None:
            raise NotServed(f"There is no run {key!r} here.")
        return found

    def run(self, key: str) -> Run:
        """To draw with. Raises NotServed, and UserError where it is not finished."""
        self.listed(key)
        return Run.finished(self._below(key), trust=self._trust)

    def sweeps(self) -> list[tuple[str, Sweep]]:
        """By name, those that can be read."""
        records = sorted(files_named("sweep.json", self.root))
        folders = [record.parent for record in records if record.parent.parent.name == FOLDER]
        return [
            (_key(folder, self.root), Sweep(folder)) for folder in folders if self._is_within(folder / "sweep.json")
        ]

    def sweep(self, key: str) -> Sweep:
        """Raises NotServed, also where runs of it would be shown that are not served."""
        sweep = Sweep(self._below(key))
        if not sweep.record.is_file() or not self._is_within(sweep.record):
            raise NotServed(f"There is no sweep {key!r} here.")
        for point in sweep.points:
            folder = point.run.folder
            if not folder.is_relative_to(self.root) or _leads_out(folder, self.root):
                raise NotServed(f"The sweep {key!r} has runs that lie outside of this folder.")
        return sweep

    def picture(self, key: str, kind: str, name: str) -> Path:
        """One that the run's index names. Raises NotServed."""
        folder = self._below(key) / kind
        index = {SAMPLES: "samples.json", GENERATED: INDEX}.get(kind)
        self.listed(key)
        if index and name.endswith(PICTURE) and is_inside(folder, name) and self._is_within(folder / name):
            try:
                _, entries = read_index(folder / index)
            except OSError:
                entries = []
            if any(entry["file"] == name for entry in entries) and (folder / name).is_file():
                return folder / name
        raise NotServed("There is no such picture here.")

    def _below(self, key: str) -> Path:
        if not is_inside(self.root, key):
            raise NotServed("There is nothing of this name here.")
        return (self.root / key).resolve()

    def _is_within(self, path: Path) -> bool:
        return is_inside(self.root, os.path.relpath(path, self.root))

    def _listed(self, folder: Path) -> Listed | None:
        run = Run(folder, trust=self._trust)
        if not run.manifest.is_file():
            return None
        files = _changes(run)
        known = self._read.get(folder)
        is_going = not known or known.record.status in ("running", "stopped")
        version = (*files, int(is_going and _is_trained(run)))
        if known and known.version == version:
            return known
        key = _key(folder, self.root)
        if not _can_be_asked_for(key) or _leads_out(folder, self.root):
            return None
        self._read[folder] = Listed(key, read_run(run), max(files) / 1e9, version)
        return self._read[folder]


def _changes(run: Run) -> Version:
    """When each file was written that a page about it is made of."""
    files = (run.manifest, run.config, run.metrics, run.sample_index, run.score_curve, run.error, run.scoring_error)
    return tuple(map(modification_time, (*files, run.folder / "scores")))


def _is_trained(run: Run) -> bool:
    try:
        return is_locked(run.lock)
    except OSError:  # of another user: nothing is known, and the manifest is believed
        return True


def _key(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix()


def _can_be_asked_for(key: str) -> bool:
    """An address is text in UTF-8, which a folder's name need not be."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leads_out(folder: Path, root: Path) -> bool:
    """Whether a link among what is read of a run leads out of the folder that is served."""
    return any(not is_inside(root, os.path.relpath(link, root)) for link in _links(folder))


def _links(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if (path := Path(parent, name)).is_symlink())
        if Path(parent) == folder:
            folders[:] = [each for each in folders if each in READ]
