"""Work that several processes share: each piece is locked by who does it.

The locks are the operating system's: they end with the process that holds them, however it ends.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from filelock import FileLock, Timeout

POLL_INTERVAL = 0.2  # seconds until one looks again whether other processes have finished


@contextmanager
def claimed(folder: Path, names: Sequence[str]) -> Iterator[list[str]]:
    """Locks the first of `names`, up to one that another process holds: of two that want the same, one gets all.

    The work may have been done just before: look again. The last process removes the folder of the lock files.
    """
    with suppress(FileExistsError):  # another process may remove it between mkdir's two checks
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        yield list(takewhile(lambda name: _try_lock(folder, name, locks), names))
    with suppress(OSError):
        folder.rmdir()


def is_locked(file: Path) -> bool:
    """Whether a process that lives holds the lock of this file: it is taken for an instant to find out. Raises OSError
    where that cannot be known, as of another user's file."""
    if file.is_symlink() or not file.is_file():
        return False
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _try_lock(folder: Path, name: str, locks: ExitStack) -> bool:
    file = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except FileNotFoundError:  # the folder was removed just now: its last process has finished
        return False
    locks.callback(_release, lock, file)
    return True


def _release(lock: FileLock, file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
    lock.release()
