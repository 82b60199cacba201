"""Paths in a configuration, and the cache folder."""

import os
from importlib.util import find_spec
from pathlib import Path

from imprint.errors import UserError

PACKAGE_PREFIX = "pkg://"


def locate(path: str) -> Path:
    """The absolute path that `path` means: `~`, relative to the working directory, or `pkg://package.name/inside`."""
    if path.startswith(PACKAGE_PREFIX):
        package, _, inside = path.removeprefix(PACKAGE_PREFIX).partition("/")
        return _folder_of(package, path) / inside
    return Path(os.path.expanduser(path)).absolute()  # which leaves ~name as it is where there is no such user


def _folder_of(package: str, path: str) -> Path:
    """Where an installed package lies. Nothing is imported: the name may come from a file of somebody's run."""
    outer, *inner = package.split(".")
    try:
        spec = find_spec(outer)
    except (ImportError, ValueError):
        spec = None
    places = [Path(place).joinpath(*inner) for place in (spec and spec.submodule_search_locations) or ()]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise UserError(f"{path}: there is no package {package}. Write pkg://package.name/folder.")
    return found


def local_path(source: str, *, suffixes: tuple[str, ...] = ()) -> Path | None:
    """The path that `source` means, or None where it is a hub id. A name that ends in one of `suffixes` is a path."""
    path = locate(source)
    written_as_path = source.startswith((PACKAGE_PREFIX, "/", ".", "~")) or source.endswith(suffixes)
    return path if written_as_path or path.exists() else None


def cache_folder() -> Path:
    """For files that can be made again: $IMPRINT_CACHE, else a folder in the user's own cache."""
    if chosen := os.environ.get("IMPRINT_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imprint"
