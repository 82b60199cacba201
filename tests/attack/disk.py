"""A disk that is too small: a file system in memory of its own where that is permitted, else a limit on the size of
each file."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLENTY = 2 << 30


def can_mount() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and Path("/proc/mounts").exists()


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator["Disk"]:
    """`folder` has `size` bytes, until `Disk.enlarge`."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = can_mount() and _mount(folder, f"size={size}") == 0
    try:
        yield Disk(folder, None if mounted else size)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


class Disk:
    def __init__(self, folder: Path, largest_file: int | None) -> None:
        self._folder = folder
        self.largest_file = largest_file  # to be set for the program, where nothing could be mounted

    @property
    def means(self) -> str:
        return "tmpfs" if self.largest_file is None else "RLIMIT_FSIZE"

    def enlarge(self) -> None:
        if self.largest_file is None:
            assert _mount(self._folder, f"remount,size={PLENTY}") == 0
        self.largest_file = self.largest_file and None


def _mount(folder: Path, options: str) -> int:
    command = ["mount", "-t", "tmpfs", "-o", options, "imprint-attack", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode
