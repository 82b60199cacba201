"""What was found of copies before, so that a study which goes on does not look again: by the content of both sides."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter

from imprint.errors import UserError
from imprint.file_contents import read_json, typed
from imprint.files import write_json
from imprint.locations import cache_folder

VERSION = 1  # of what is called a copy
FOLDER = "copies"  # in the cache
REMEDY = "It can be deleted."

# Of a picture, by its content: the contents of those that it is a copy of.
Found = Mapping[str, Sequence[str]]
FOUND: TypeAdapter[dict[str, list[str]]] = TypeAdapter(dict[str, list[str]])


class KnownCopies:
    """Of `others`, by their content, in one way of looking (`kind`). Where nothing can be kept, nothing is known."""

    def __init__(self, kind: str, others: Iterable[str]) -> None:
        name = hashlib.sha256("\n".join([str(VERSION), kind, *sorted(set(others))]).encode()).hexdigest()
        self._file: Path | None = None
        with suppress(UserError):  # there is no home folder
            self._file = cache_folder() / FOLDER / f"{name}.json"

    def read(self) -> dict[str, list[str]]:
        if self._file is not None:
            with suppress(UserError, OSError):
                return typed(FOUND, read_json(self._file, REMEDY), self._file, REMEDY)
        return {}

    def add(self, found: Found) -> None:
        """Of two programs that add at once, one may have to look again later."""
        if self._file is not None and found:
            with suppress(OSError):
                write_json(self._file, self.read() | {content: list(others) for content, others in found.items()})
