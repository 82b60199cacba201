"""Atomic writes: a reader sees the old content or the new, even if the writing process is killed."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from imprint.errors import UserError
from imprint.locations import remedy_of_cache
from imprint.partial_files import partial_file

FULL_DISK_BYTES = 1 << 20  # a disk with less free space is full


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` with the name of a file that is not there yet, flushes that to the disk, and moves it to `path`."""
    with _naming_path(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_file(path) as temporary:
            write(temporary)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def is_inside(name: str) -> bool:
    """Whether a relative path stays below the folder that it is relative to."""
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts


@contextmanager
def folder_atomically(path: Path) -> Iterator[Path]:
    """Yields an empty folder beside `path` that replaces `path` at the end, unless an error is raised."""
    with _naming_path(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_file(path) as temporary:
            temporary.mkdir()
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)


@contextmanager
def _naming_path(path: Path) -> Iterator[None]:
    """Turns errors of the file system into a UserError that names the path."""
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise _cannot_write(path, error.strerror or str(error)) from error
    except Exception as error:
        # The libraries that serialise weights report a full disk as errors of their own.
        if _is_full(path):
            raise _cannot_write(path, "No space left on device") from error
        raise


def _cannot_write(path: Path, reason: str) -> UserError:
    remedy = remedy_of_cache(path) or "Free space or choose another folder."
    return UserError(f"Cannot write {path}: {reason}. {remedy}")


def _is_full(path: Path) -> bool:
    return shutil.disk_usage(path.parent).free < FULL_DISK_BYTES
