"""Types of settings that several parts have: what a folder is called, and where it lies."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

LONGEST_NAME = 180  # bytes: file systems allow 255, and more is added to a name


def _folder_name(name: str) -> str:
    if not name.strip() or name in (".", "..") or not name.isprintable() or set(name) & set("/\\"):
        raise ValueError("a folder is called by it; give a name that is no path")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"a folder is called by it; give at most {LONGEST_NAME} letters")
    return name


FolderName = Annotated[str, AfterValidator(_folder_name)]  # of a folder that is to be made
Place = Annotated[str, StringConstraints(min_length=1)]  # a path: an empty one would mean the working directory
