"""Where files and folders are written before they are complete, and the removal of those whose program was killed."""

import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imprint.liveness import owned_folder, remove_if_abandoned

NAME = re.compile(r"\..+\.[a-z0-9_]{8}\.partial")  # of the folder beside it; eight letters are the tempfile module's

log = logging.getLogger(__name__)


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Where to write what is to be moved to `path`: in a folder beside it, which belongs to this process and is removed
    at the end. It has the ending of `path`, which some libraries look at, and not its name, which is searched for."""

    def create() -> Path:
        return Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))

    with owned_folder(create) as folder:
        yield folder / f"content{path.suffix}"


def files_named(name: str, folder: Path) -> Iterator[Path]:
    """At any depth of a folder in which others may be writing. pathlib's own search ends with an error where a folder
    goes away before it is read, as those of partial files do."""
    for parent, folders, files in os.walk(folder):  # links are not followed
        folders[:] = [each for each in folders if not NAME.fullmatch(each)]
        if name in files:
            yield Path(parent, name)


def remove_abandoned(folder: Path) -> None:
    """Removes, at any depth, what a program that was killed left half written. What a living process is writing stays,
    and so does everything that was not made here."""
    removed = sum(map(remove_if_abandoned, list(_partial(folder))))
    if removed:
        log.info("Removed %d unfinished files of a program that was killed: %s", removed, folder)


def _partial(folder: Path) -> Iterator[Path]:
    for parent, folders, _ in os.walk(folder):  # links are not followed
        found = [name for name in folders if NAME.fullmatch(name)]
        yield from (Path(parent, name) for name in found)
        folders[:] = [name for name in folders if name not in found]
