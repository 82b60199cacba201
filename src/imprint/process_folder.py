"""A temporary folder of this process, and children that end with it.

A program that is killed can neither remove its files nor end the processes that it started. So its folder is its own as
`liveness` has it: children wait for the folder to be abandoned, in a thread, and then end as if they were killed, too.
The next program removes abandoned ones.
"""

import atexit
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from imprint.liveness import owned_folder, remove_if_abandoned, wait_for_end

PREFIX = "imprint-process-"
OF_PARENT = "IMPRINT_PARENT_FOLDER"  # in the environment of processes that are started with a copy of it

_own: dict[int, Path] = {}  # by process, since a fork has this dictionary, too
_watched: set[Path] = set()


def own_folder() -> Path:
    """Made when it is first asked for; removed when the process ends, unless that is killed."""
    if os.getpid() not in _own:
        remove_abandoned_folders()
        owning = ExitStack()
        _own[os.getpid()] = owning.enter_context(owned_folder(lambda: Path(tempfile.mkdtemp(prefix=PREFIX))))
        atexit.register(owning.close)
    return _own[os.getpid()]


def remove_abandoned_folders() -> None:
    """Those of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        remove_if_abandoned(folder)


def end_with(folder: Path) -> None:
    """Ends this process when the one whose `own_folder` this is has ended, or if it has. To be called by its children
    and theirs, on the same machine."""
    if folder not in _watched:
        _watched.add(folder)
        threading.Thread(target=_watch, args=(folder,), name="parent-watcher", daemon=True).start()


@contextmanager
def named_for_children() -> Iterator[None]:
    """Processes that are started meanwhile can `end_with_parent`."""
    before = os.environ.get(OF_PARENT)
    os.environ[OF_PARENT] = str(own_folder())
    try:
        yield
    finally:
        del os.environ[OF_PARENT]
        if before is not None:
            os.environ[OF_PARENT] = before


def end_with_parent() -> None:
    """`end_with` the process that was `named_for_children`; nothing where none was."""
    if name := os.environ.get(OF_PARENT):
        end_with(Path(name))


def _watch(folder: Path) -> None:
    if wait_for_end(folder):
        os._exit(1)
