"""A cache of what was made of files, valid while these do not change: a live page is written many times."""

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar, cast

T = TypeVar("T")


class FileCache:
    """At most `most` results; the least recently used one is dropped first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: dict[tuple[Path, Hashable], tuple[tuple[int, int], object]] = {}

    def of(self, file: Path, make: Callable[[Path], T], how: Hashable = None) -> T:
        """`make(file)`, made anew where the file has changed. `how` is all else that the result depends on.

        What `make` raises is passed on, and so is the OSError of a file that is not there.
        """
        state = file.stat()
        version = (state.st_mtime_ns, state.st_size)
        known = self._made.pop((file, how), None)
        if known is None or known[0] != version:
            known = (version, make(file))
        self._made[file, how] = known
        while len(self._made) > self._most:
            self._made.pop(next(iter(self._made)), None)
        return cast(T, known[1])


def modification_time(file: Path) -> int:
    """In nanoseconds; 0 where the file is gone."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
