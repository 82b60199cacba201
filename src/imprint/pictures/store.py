"""A folder of pictures, and its index, which says how each was generated.

Several processes may add to it at once. A picture is there if its file has the content that the index says. Where the
index has no entry for a file that can be read, as in folders of earlier versions, the file's name is its description.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock
from PIL import Image

from imprint.files import write_json
from imprint.hashing import file_hash
from imprint.pictures.files import State, open_picture, save_png, state_of
from imprint.types import Sampler

log = logging.getLogger(__name__)

INDEX = "pictures.json"
PROMPT_LENGTH = 40  # letters of a prompt in a file's name

Entry = dict[str, Any]  # prompt, seed, content, state, the recipe's facts; of one that failed: failures, error


class Recipe(NamedTuple):
    """How a picture of a store is generated, besides what all pictures of the store have in common, and its file.

    `seed` alone gives its noise. `facts` are more entries for the index; they do not tell pictures apart.
    """

    file: str
    prompt: str
    seed: int
    sampler: Sampler
    size: tuple[int, int]  # height, width
    facts: Mapping[str, Any]


class Outcome(NamedTuple):
    """What became of a recipe."""

    recipe: Recipe
    file: Path
    content: str  # hash of the file's bytes; empty where there is none
    state: State


class PictureStore:
    """The pictures of `recipes` in `folder`, where others may lie, too. `common` holds for all pictures of the folder.

    A picture that failed counts as missing for later processes, and as settled for those that saw it fail.
    No picture is overwritten: where another one has a recipe's file name, the recipe gets a name with a number.
    """

    def __init__(
        self, folder: Path, recipes: Sequence[Recipe], common: Mapping[str, Any], *, index: str = INDEX
    ) -> None:
        self.folder = folder
        self.recipes = recipes
        self._common = common
        self._index = folder / index
        self._failed_before = {file: entry.get("failures", 0) for file, entry in self._entries().items()}
        self._checked: dict[str, tuple[str, State]] = {}  # content and state of the files that were read

    def missing(self) -> list[Recipe]:
        return [recipe for recipe, outcome in self._lookup() if outcome is None]

    def outcomes(self) -> list[Outcome]:
        """Of the recipes that are settled, in their order; failed and blank ones too."""
        return [outcome for _, outcome in self._lookup() if outcome is not None]

    def complete_index(self) -> None:
        """Lists the files that the index has no entry for: a program may be killed between the two."""
        entries = self._entries()
        if any("state" not in entries.get(_name(one.recipe, entries), {}) for one in self.outcomes()):
            self.add(())

    @property
    def reasons(self) -> list[str]:
        """Why pictures failed."""
        return list(dict.fromkeys(entry["error"] for entry in self._entries().values() if "error" in entry))

    def add(self, pictures: Sequence[tuple[Recipe, Image.Image | Exception]]) -> None:
        """Writes pictures, and notes those that failed. What another process has added stays."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".index.lock"):
            entries = self._entries()
            for recipe, picture in pictures:
                name = _name(recipe, entries)
                entry = entries.get(name, {})
                if self._outcome(recipe, name, entry) is None:
                    entries[name] = _described(recipe) | self._write(name, picture, entry.get("failures", 0))
            for recipe in self.recipes:  # files that the index has no entry for yet
                name = _name(recipe, entries)
                if "state" not in entries.get(name, {}) and (outcome := self._outcome(recipe, name, {})):
                    entries[name] = _described(recipe) | {"content": outcome.content, "state": outcome.state}
            listed = [{"file": name, **entry} for name, entry in entries.items()]
            write_json(self._index, {**self._common, "pictures": listed})

    def _write(self, name: str, picture: Image.Image | Exception, failures: int) -> Entry:
        if isinstance(picture, Exception):
            reason = f"{type(picture).__name__}: {picture}"
            return {"content": "", "state": "failed", "failures": failures + 1, "error": reason}
        save_png(picture, self.folder / name)
        content, state = self._checked[name] = file_hash(self.folder / name), state_of(picture)
        return {"content": content, "state": state}

    def _lookup(self) -> Iterator[tuple[Recipe, Outcome | None]]:
        entries = self._entries()
        for recipe in self.recipes:
            name = _name(recipe, entries)
            yield recipe, self._outcome(recipe, name, entries.get(name, {}))

    def _outcome(self, recipe: Recipe, name: str, entry: Entry) -> Outcome | None:
        """None where it is to be generated."""
        file = self.folder / name
        if entry.get("state") == "failed":
            is_new = entry.get("failures", 0) > self._failed_before.get(name, 0)
            return Outcome(recipe, file, "", "failed") if is_new else None
        if not file.is_file():
            return None
        content = entry.get("content")
        if name not in self._checked or content not in (None, self._checked[name][0]):
            try:
                state = entry["state"] if content else state_of(open_picture(file))
                self._checked[name] = file_hash(file), state
            except Exception:  # on damaged bytes, Pillow's readers raise nearly everything
                return None
        return Outcome(recipe, file, *self._checked[name]) if content in (None, self._checked[name][0]) else None

    def _entries(self) -> dict[str, Entry]:
        """By file. An index that cannot be read counts as empty."""
        try:
            common, listed = read_index(self._index)
        except (OSError, ValueError):
            return {}
        of_all = {key: value for key, value in common.items() if key not in self._common}  # by another store's `common`
        return {entry["file"]: {**of_all, **entry} for entry in listed}


def key_of(settings: Mapping[str, Any], letters: int) -> str:
    """A hash of all settings, for a name."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:letters]


def file_name(prompt: str, seed: int, settings: Mapping[str, Any]) -> str:
    """For a folder that holds pictures of all kinds: pictures of other settings have other names."""
    words = "-".join(re.findall("[a-z0-9]+", prompt.lower()))[:PROMPT_LENGTH].strip("-")
    key = key_of({**settings, "prompt": prompt, "seed": seed}, 10)
    return "-".join(filter(None, (words, f"s{seed}", key))) + ".png"


def read_index(file: Path) -> tuple[dict[str, Any], list[Entry]]:
    """What an index says of all its pictures, and of each. Files outside its folder are left out, with a warning.

    Raises OSError or ValueError where it is no index.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    common = content if isinstance(content, dict) else {}
    listed = common.pop("pictures", None) if common else content
    if not isinstance(listed, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("file"), str) for entry in listed
    ):
        raise ValueError(f"{file} lists no pictures")
    inside = [entry for entry in listed if is_inside(file.parent, entry["file"])]
    if len(inside) < len(listed):
        log.warning("%s names pictures outside of its folder. They are left out.", file)
    return common, inside


def is_inside(folder: Path, name: str) -> bool:
    """Whether a file of this name lies in the folder, wherever links lead."""
    try:
        return (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle; characters that no path can have
        return False


def _name(recipe: Recipe, entries: Mapping[str, Entry]) -> str:
    """Its file; where that is another picture's, the first numbered name that is free or its own."""
    stem = recipe.file.removesuffix(".png")
    names = chain([recipe.file], (f"{stem}-{number}.png" for number in count(2)))
    return next(name for name in names if name not in entries or _is_of(entries[name], recipe))


def _described(recipe: Recipe) -> Entry:
    return {**recipe.facts, "prompt": recipe.prompt, "seed": recipe.seed}


def _is_of(entry: Entry, recipe: Recipe) -> bool:
    return (entry.get("prompt"), entry.get("seed")) == (recipe.prompt, recipe.seed)
