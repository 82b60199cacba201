"""Where a path written in a configuration points to."""

import os
from importlib import resources
from pathlib import Path

PACKAGE_PREFIX = "pkg://"


def locate(path: str) -> Path:
    """The absolute path that `path` means: `~`, relative to the working directory, or `pkg://package.name/inside`."""
    if path.startswith(PACKAGE_PREFIX):
        package, _, inside = path.removeprefix(PACKAGE_PREFIX).partition("/")
        return Path(str(resources.files(package))) / inside
    return Path(path).expanduser().absolute()


def cache_folder() -> Path:
    """Where things are kept that can be made again: $IMPRINT_CACHE, else the user's own cache folder."""
    if chosen := os.environ.get("IMPRINT_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imprint"
