"""Subjects by their folders: those that lie in one place, or a data set configuration for each."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from imprint.data.collections.base import Collection, Entry, existing_folder, kind_of
from imprint.data.collections.description import Described, read_description
from imprint.data.folder import PictureFolder
from imprint.data.listing import natural_key
from imprint.kinds import of_kind


@of_kind("collection/folders")
class SubjectFolders(Collection):
    """Every visible folder in `path`, or in `inside` of it where there is such a folder, and those that are named.

    What a subject is comes from the first of these that says it: `nouns`; a file subjects.yaml, .json or .csv that
    lies beside the folders; the folder's name, without its number, where `noun_from_name`; `noun`, for all.
    A subject is live where the file says so, or its name matches a pattern of `live`.
    """

    noun_remedy = (
        "Name their nouns in a file subjects.yaml beside the folders (rex: dog), or give +collection.nouns.<name>=..., "
        "collection.noun=... for all, or collection.noun_from_name=true where dog6 is a dog. subjects=[...] leaves "
        "folders out."
    )

    def __init__(
        self,
        *,
        path: str,
        inside: str | None,
        nouns: dict[str, str],
        noun: str | None,
        noun_from_name: bool,
        live: list[str],
        remarks: dict[str, str],
    ) -> None:
        self.path = path
        self.inside = inside
        self.nouns = nouns
        self.noun = noun
        self.noun_from_name = noun_from_name
        self.live = live
        self.remarks = remarks

    def entries(self) -> list[Entry]:
        root = existing_folder(self.path, key="collection.path")
        if self.inside and (root / self.inside).is_dir():
            root = root / self.inside
        described = read_description(root)
        names = dict.fromkeys([*self.nouns, *described, *_folders(root)])
        return [self._entry(root, name, described) for name in names]

    def _entry(self, root: Path, name: str, described: Mapping[str, Described]) -> Entry:
        own = described.get(name, Described(None, None))
        noun = self.nouns.get(name) or own.noun or (_noun_in(name) if self.noun_from_name else None) or self.noun
        kind = own.kind or kind_of(name, self.live)
        return Entry(name, noun, kind, str(root / name), self.remarks.get(name, ""))


@of_kind("collection/listed")
class ListedSubjects(Collection):
    """`subjects` are data sets by name. Who a subject is and where it lies is taken from them; how its pictures are
    used comes from `dataset`, for all alike."""

    noun_remedy = "Give each a class_noun."

    def __init__(self, *, subjects: dict[str, PictureFolder]) -> None:
        self._listed = subjects

    def entries(self) -> list[Entry]:
        return [Entry(name, one.class_noun, one.kind, one.path) for name, one in self._listed.items()]


def _folders(root: Path) -> Iterator[str]:
    names = [folder.name for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    yield from sorted(names, key=natural_key)


def _noun_in(name: str) -> str | None:
    """`dog6`: dog; `stuffed_animal_2`: stuffed animal."""
    return re.sub(r"[\s_-]+", " ", re.sub(r"[\s_-]*[0-9]+$", "", name)).strip() or None
