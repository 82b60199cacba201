"""A dataset.json that lists concepts, as CustomConcept101 and the training scripts that read its files have it."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from imprint.data.collections.base import Collection, Entry, kind_of
from imprint.errors import ConfigError, Problem, UserError
from imprint.foreign_files import Unreadable, read_json
from imprint.kinds import of_kind
from imprint.locations import locate

FILE = "dataset.json"


@of_kind("collection/concept_list")
class ConceptList(Collection):
    """`path` is the file, or the folder in which a dataset.json lies. Of an entry, `class_prompt` is the noun and
    `instance_data_dir` the folder, whose name names the subject; it is looked for beside the file, with and without
    the folders that stand before it, and in `inside`. Other fields are not needed.

    A subject is live if its name matches a pattern of `live`.
    """

    noun_remedy = "Give their entries a class_prompt."

    def __init__(self, *, path: str, inside: str, live: list[str]) -> None:
        self.path = path
        self.inside = inside
        self.live = live

    def entries(self) -> list[Entry]:
        file = self._file()
        entries: dict[str, Entry] = {}
        wrong: list[str] = []
        for number, content in enumerate(_content(file), start=1):
            try:
                entry = self._entry(file.parent, content)
                if entry.name in entries:
                    raise ValueError(f"the folder {entry.name} is there before")
                entries[entry.name] = entry
            except ValueError as error:
                wrong.append(f"  - entry {number}: {error}")
        if wrong:
            raise UserError("\n".join([f"{file} cannot be used:", *wrong]))
        return list(entries.values())

    def _file(self) -> Path:
        place = locate(self.path)
        file = place / FILE if place.is_dir() else place
        if not file.is_file():
            remedy = f"there is no {FILE} here. Give the folder that it lies in, or the file."
            raise ConfigError([Problem("collection.path", self.path, remedy)])
        return file

    def _entry(self, root: Path, content: Any) -> Entry:
        """Raises ValueError."""
        if not isinstance(content, Mapping):
            raise ValueError("it is no object; lists of several concepts for one model are not read")
        folder = content.get("instance_data_dir")
        if not isinstance(folder, str) or not PurePosixPath(folder).name:
            raise ValueError("instance_data_dir must name a folder")
        noun = content.get("class_prompt")
        if noun is not None and not isinstance(noun, str):
            raise ValueError("class_prompt must be text")
        name = PurePosixPath(folder).name
        places = [root / folder, root / name, root / self.inside / name]
        found = next((place for place in places if place.is_dir()), places[0])
        return Entry(name, noun and noun.strip(), kind_of(name, self.live), str(found))


def _content(file: Path) -> list[Any]:
    try:
        content = read_json(file)
    except Unreadable as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, list) or not content:
        raise UserError(f"{file} cannot be used: it is no list of concepts.")
    return content
