"""What every collection offers."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from imprint.data.dataset import Kind
from imprint.data.listing import list_pictures, printable
from imprint.errors import ConfigError, Problem
from imprint.locations import locate
from imprint.suggestions import nearest

log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """A subject as a collection names it, checked or not."""

    name: str
    noun: str | None  # None: nothing says what it is
    kind: Kind
    path: str
    remark: str = ""  # what is known to be wrong with its pictures


class Member(NamedTuple):
    """A subject whose noun is known and whose folder holds pictures."""

    name: str
    noun: str
    kind: Kind
    path: str

    @property
    def settings(self) -> dict[str, Any]:
        """What tells its data set from those of the other subjects."""
        return {"subject": self.name, "class_noun": self.noun, "kind": self.kind, "path": self.path}


class Collection(ABC):
    """What a `collection` configuration constructs."""

    # What the user can do about subjects without a noun.
    noun_remedy: str

    @abstractmethod
    def entries(self) -> list[Entry]:
        """All its subjects, in its order. Raises UserError where the collection itself cannot be read."""

    def members(self, names: Sequence[str] | None) -> list[Member]:
        """Those of `names`, or all, in the collection's order; what is known of their pictures is logged.

        Raises ConfigError, saying everything that is wrong with those asked for.
        """
        entries = {entry.name: entry for entry in self.entries()}
        chosen = [entry for name, entry in entries.items() if names is None or name in names]
        problems = [*_restriction(names, entries), *self._nounless(chosen), *_pictureless(chosen)]
        if not entries:
            problems.append("collection: it holds no subject.")
        if problems:
            raise ConfigError(problems)
        remarks = [f"{entry.name}: {entry.remark}" for entry in chosen if entry.remark]
        if remarks:
            log.warning("Known of these pictures:\n%s", "\n".join(f"  - {remark}" for remark in remarks))
        return [Member(entry.name, entry.noun, entry.kind, entry.path) for entry in chosen if entry.noun]

    def _nounless(self, chosen: Iterable[Entry]) -> Iterator[Problem | str]:
        if names := [entry.name for entry in chosen if not entry.noun]:
            yield f"collection: nothing says what these are: {', '.join(names)}. {self.noun_remedy}"


def kind_of(name: str, live: Iterable[str]) -> Kind:
    """live where the name matches one of the patterns."""
    return "live" if any(fnmatchcase(name, pattern) for pattern in live) else "object"


def existing_folder(path: str, *, key: str) -> Path:
    """Raises ConfigError."""
    folder = locate(path)
    if not folder.is_dir():
        remedy = "this is a file." if folder.exists() else "there is no such folder."
        raise ConfigError([Problem(key, path, f"{remedy} Give the folder of the whole collection.")])
    return folder


def _restriction(names: Sequence[str] | None, known: Iterable[str]) -> Iterator[Problem | str]:
    if names is None:
        return
    if not names:
        yield Problem("subjects", [], "names none. Give some, or null for all.")
    for name in dict.fromkeys(names):
        if name not in known:
            yield Problem("subjects", name, f"there is no such subject; {nearest(name, known)}")


def _pictureless(chosen: Iterable[Entry]) -> Iterator[Problem | str]:
    """Those with the same trouble in one line: where the collection's own path is wrong, that is all of them."""
    troubled: dict[str, list[str]] = {}
    for entry in chosen:
        folder = locate(entry.path)
        try:
            list_pictures(folder, key="collection")
        except ConfigError as error:
            trouble = [problem.remedy for problem in error.problems if isinstance(problem, Problem)]
            troubled.setdefault(f"{' '.join(trouble)} (in {printable(folder.parent)})", []).append(entry.name)
    for remedy, names in troubled.items():
        yield f"collection: {', '.join(map(printable, names))}: {remedy}"
