"""Work that several processes share: each item is held by one of them at a time.

A claim is an operating system's lock, so that it ends with the process that holds it, however that ends.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def claimed(folder: Path, names: Sequence[str]) -> Iterator[list[str]]:
    """Yields the first of `names`, up to one that somebody else holds: of two who want the same, one gets all.

    What they stand for may have been done just before: look again. The folder is gone when nobody needs it any more.
    """
    with suppress(FileExistsError):  # it may go away between two looks of mkdir's
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        yield list(takewhile(lambda name: _claim(folder / f"{_safe(name)}.lock", held), names))
    with suppress(OSError):
        folder.rmdir()


def _claim(file: Path, held: ExitStack) -> bool:
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except FileNotFoundError:  # the folder went away just now: its last user has finished
        return False
    held.callback(_release, lock, file)
    return True


def _release(lock: FileLock, file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
    lock.release()


def _safe(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
