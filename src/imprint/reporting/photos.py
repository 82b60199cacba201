"""The photos that a run was trained on, for pages: only files that its manifest knows by their content. A manifest may
be somebody else's, and the folder that it names one of the reader's own."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from imprint.data.decoding import BadPicture, read
from imprint.data.listing import list_pictures
from imprint.data.pictures import Picture, content_hash, fingerprint_of
from imprint.errors import UserError
from imprint.locations import locate
from imprint.manifest import Manifest
from imprint.reporting.file_cache import FileCache

MOST_LOOKED_AT = 1000  # files of a folder
LARGEST = 1 << 27  # bytes of a file
CACHE = FileCache(most=10 * MOST_LOOKED_AT)


def photos_of(manifest: Manifest) -> list[Path]:
    """In the order of the data set. None where their folder is not on this machine, or holds others by now."""
    return [file for node in _datasets(manifest.config.dataset) for file in _known(node, manifest)]


def _datasets(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those of all subjects."""
    subjects = node.get("subjects")
    members = [*subjects.values()] if isinstance(subjects, Mapping) else [node]
    return (member for member in members if isinstance(member, Mapping))


def _known(node: Mapping[str, Any], manifest: Manifest) -> list[Path]:
    path, background = node.get("path"), node.get("background")
    if not isinstance(path, str) or not isinstance(background, str) or "${" in path:
        return []
    try:
        files = list_pictures(locate(path), key="dataset.path")[:MOST_LOOKED_AT]
        contents = {file: content for file in files if (content := _content(file, background))}
    except (UserError, OSError, ValueError):  # no such folder, path or colour
        return []
    if not manifest.photos and _is_whole(list(contents.values()), manifest):
        return list(contents)
    return [file for file, content in contents.items() if content in manifest.photos]


def _is_whole(contents: list[str], manifest: Manifest) -> bool:
    """Manifests of earlier releases have a hash of the whole set alone."""
    pictures = [Picture("", None, content, (0, 0)) for content in contents]
    known = manifest.content.dataset
    return fingerprint_of(pictures) in ([known] if isinstance(known, str) else known)


def _content(file: Path, background: str) -> str | None:
    try:
        return CACHE.of(file, partial(_hash, background=background), background)
    except (BadPicture, OSError):
        return None


def _hash(file: Path, background: str) -> str:
    if file.stat().st_size > LARGEST:
        raise BadPicture("too large")
    return content_hash(read(file), background)
