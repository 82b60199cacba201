"""Project folders: where a user's own conf/ is found without --config-dir, if the user made or trusted the folder.

A configuration may name any class, so it is code. What came from somebody else is therefore never used because a
command happens to run inside it: which folders are trusted is remembered outside of them, by path and owner.
"""

import os
from pathlib import Path
from typing import NamedTuple

from imprint.errors import UserError
from imprint.files import write_json
from imprint.locations import locate

MARK = ".imprint-project"  # a file at the top of a project
CONF = "conf"
DAMAGED = "Remove it; then 'imprint init FOLDER trust=true' for each project that you trust."
NO_HOME = "There is no home folder to remember projects in. Set XDG_CONFIG_HOME to a folder that can be written to."


class Trusted(NamedTuple):
    path: str
    owner: int | None  # None where the system has no such numbers


def project_above(place: Path) -> Path | None:
    """The nearest project that `place` is in, whoever made it."""
    try:
        place = place.resolve()
        return next((folder for folder in (place, *place.parents) if (folder / MARK).is_file()), None)
    except OSError:  # the working directory was removed
        return None


def own_conf(project: Path) -> Path | None:
    """The project's configuration, where the user trusts it. Raises UserError where that cannot be known."""
    return project / CONF if is_trusted(project) and (project / CONF).is_dir() else None


def is_trusted(folder: Path) -> bool:
    """Somebody else's folder that was put into the place of a trusted one is not."""
    return _entry(folder) in _read()


def trust(folder: Path) -> None:
    trusted = [*(entry for entry in _read() if entry.path != str(folder.resolve())), _entry(folder)]
    write_json(_registry(), [entry._asdict() for entry in trusted])


def not_used(project: Path) -> str:
    """What is to be known of a project that is not trusted."""
    conf = project / CONF
    return (
        f"{conf} is not used: this project was not made here, and its YAMLs may have any code run. "
        f"Read them; then 'imprint init {project} trust=true' trusts it."
    )


def _entry(folder: Path) -> Trusted:
    resolved = folder.resolve()
    return Trusted(str(resolved), resolved.stat().st_uid if hasattr(os, "getuid") else None)


def _read() -> list[Trusted]:
    from pydantic import TypeAdapter  # asked by every command, of which most are given in no project

    from imprint.file_contents import read_json, typed

    try:
        content = read_json(_registry(), DAMAGED)
    except FileNotFoundError:
        return []
    return typed(TypeAdapter(list[Trusted]), content, _registry(), DAMAGED)


def _registry() -> Path:
    """In the user's configuration, and so in no project."""
    if chosen := os.environ.get("XDG_CONFIG_HOME"):
        return locate(chosen) / "imprint" / "projects.json"
    home = os.path.expanduser("~")
    if home == "~":
        raise UserError(NO_HOME)
    return Path(home) / ".config" / "imprint" / "projects.json"
