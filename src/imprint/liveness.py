"""Folders that belong to a process, and whether that process still lives.

The owner holds the operating system's lock on a file in the folder. However a process ends, its locks end with it: no
process number is compared, so none can be taken for another's. Where there are no such locks (on Windows, on some
network file systems) nothing is known, and every folder counts as owned by a process that lives.
"""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

LOCK = ".owner"  # the file in a folder
NO_LINK = getattr(os, "O_NOFOLLOW", 0)

_handles: set[int] = set()  # of the locks that this process holds


@contextmanager
def owned_folder(create: Callable[[], Path]) -> Iterator[Path]:
    """The empty folder that `create` makes belongs to this process until the end, when it is removed."""
    folder, handle = _created(create)
    _handles.add(handle)
    try:
        yield folder
    finally:
        if handle in _handles:
            _handles.remove(handle)
            _remove(folder)
            os.close(handle)


def remove_if_abandoned(folder: Path) -> bool:
    """Whether the folder's owner has ended, and it was removed. One that never had an owner stays, unless it is empty;
    so does another user's, who could put something else in its place meanwhile."""
    if not _is_own(folder):
        return False
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | NO_LINK)
    except FileNotFoundError:  # its owner was killed, or is, between two calls; then it makes another one
        with suppress(OSError):
            folder.rmdir()
        return False
    except OSError:
        return False
    try:
        if not _lock(handle, wait=False) or not _is_in(folder, handle):
            return False
        _remove(folder)
        return True
    finally:
        os.close(handle)


def wait_for_end(folder: Path) -> bool:
    """Returns when the folder's owner has ended; False where that cannot be known."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | NO_LINK)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        return _lock(handle, wait=True, alone=False)
    finally:
        os.close(handle)


def _created(create: Callable[[], Path]) -> tuple[Path, int]:
    while True:
        folder = create()
        try:
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # another process has taken it for abandoned since it was made
            continue
        if not _lock(handle, wait=True) or _is_in(folder, handle):
            return folder, handle
        os.close(handle)


def _lock(handle: int, *, wait: bool, alone: bool = True) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # another process has it, or there are no locks here
        return False
    return True


def _is_in(folder: Path, handle: int) -> bool:
    """Whether this is still the lock of the folder, and not of one that was removed."""
    try:
        return os.path.samestat((folder / LOCK).stat(), os.fstat(handle))
    except OSError:
        return False


def _is_own(folder: Path) -> bool:
    """Whether it is a folder, and this user's."""
    if sys.platform == "win32":
        return False
    try:
        state = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid()


def _remove(folder: Path) -> None:
    """The lock is the last to go: what is killed here leaves a folder that is still known to be abandoned."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                path.unlink()
        (folder / LOCK).unlink()
        folder.rmdir()


def _disown() -> None:
    """In a forked child, which may outlive the owner, and has its open files."""
    while _handles:
        os.close(_handles.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown)
