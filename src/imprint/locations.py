"""Where a path written in a configuration points to."""

import os
from importlib import resources
from pathlib import Path

from imprint.errors import UserError

PACKAGE_PREFIX = "pkg://"


def locate(path: str) -> Path:
    """The absolute path that `path` means: `~`, relative to the working directory, or `pkg://package.name/inside`."""
    if path.startswith(PACKAGE_PREFIX):
        package, _, inside = path.removeprefix(PACKAGE_PREFIX).partition("/")
        try:
            return Path(str(resources.files(package))) / inside
        except ModuleNotFoundError as error:
            raise UserError(f"{path}: there is no package {package}. Write pkg://package.name/folder.") from error
    return Path(path).expanduser().absolute()


def cache_folder() -> Path:
    """Where things are kept that can be made again: $IMPRINT_CACHE, else the user's own cache folder."""
    if chosen := os.environ.get("IMPRINT_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imprint"
