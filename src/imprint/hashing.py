"""Fingerprints of files. The hash of a large file is cached until the file changes."""

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from imprint.errors import UserError
from imprint.files import write_text
from imprint.locations import cache_folder
from imprint.partial_files import remove_abandoned

HASH = re.compile("[0-9a-f]{64}")
CACHED_FROM_BYTES = 1 << 20  # smaller files are hashed faster than a cache entry is read


def fingerprint(files: Mapping[str, Path]) -> str:
    """SHA-256 over names and contents, in the order of the names. The files' locations do not matter."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{file_hash(files[name])}\n".encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, cached by (path, size, modification time)."""
    resolved = path.resolve()
    state = resolved.stat()
    if state.st_size < CACHED_FROM_BYTES:
        return _read_hash(resolved)
    key = f"{resolved}\0{state.st_size}\0{state.st_mtime_ns}"
    entry = cache_folder() / "hashes" / hashlib.sha256(os.fsencode(key)).hexdigest()
    try:
        return _checked(entry.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not there, or damaged
        content_hash = _read_hash(resolved)
        remove_abandoned(entry.parent)
        with suppress(UserError):  # without a writable cache the file is read again next time
            write_text(entry, content_hash)
        return content_hash


def _checked(text: str) -> str:
    if not HASH.fullmatch(text):
        raise ValueError("this is no hash")
    return text


def _read_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
