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
from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Le
from filelock import FileLock
from PIL import Image
from pydantic import BaseModel, ConfigDict, TypeAdapter

from imprint.errors import UserError
from imprint.file_contents import NUMBER_LIMIT, Count, read_json, refuse, typed
from imprint.files import write_json
from imprint.hashing import file_hash
from imprint.pictures.files import BARE, PictureWriter, State, open_picture, state_of
from imprint.types import Sampler

log = logging.getLogger(__name__)

INDEX = "pictures.json"
PROMPT_LENGTH = 40  # letters of a prompt in a file's name
REMEDY = "Delete it: the same command draws what is missing."

Entry = dict[str, Any]  # prompt, seed, content, state, the recipe's facts; of one that failed: failures, error
WRITER = "provenance"  # in an entry: how its file was written, where not as pixels alone


class Listed(BaseModel):
    """What an index may say of a picture. Facts of other kinds are kept as they are."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    file: str  # relative to the index
    prompt: str = ""
    seed: Annotated[int, Ge(0), Le(2 * NUMBER_LIMIT)] = 0
    content: str | None = None
    state: State = "ok"
    failures: Count = 0
    error: str = ""
    step: Count = 0  # of the training
    set: str = ""  # of prompts, as the next two
    number: Count = 0
    k: Count = 0


LISTED = TypeAdapter(list[Listed])


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
    `writer` decides what the files have beside the pixels.
    """

    def __init__(
        self,
        folder: Path,
        recipes: Sequence[Recipe],
        common: Mapping[str, Any],
        *,
        index: str = INDEX,
        writer: PictureWriter = BARE,
    ) -> None:
        self.folder = folder
        self.recipes = recipes
        self._common = common
        self._writer = writer
        self._index = folder / index
        self._failed_before = {file: entry.get("failures", 0) for file, entry in self._entries(tell=True).items()}
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
            self._write_index(entries)

    def rewrite(self) -> None:
        """Writes those pictures again, with the same pixels, that another writer wrote."""
        if not any(self._others(self._entries())):
            return
        with FileLock(self.folder / ".index.lock"):
            entries = self._entries()
            for recipe, name in list(self._others(entries)):
                kept = {key: value for key, value in entries.get(name, {}).items() if key != WRITER}
                written = self._write(name, open_picture(self.folder / name), 0)
                entries[name] = {**_described(recipe), **kept, **written}
            self._write_index(entries)

    def _others(self, entries: Mapping[str, Entry]) -> Iterator[tuple[Recipe, str]]:
        """The pictures that another writer wrote, and their files."""
        for recipe, outcome in self._lookup():
            name = _name(recipe, entries)
            if outcome and outcome.content and entries.get(name, {}).get(WRITER, BARE.name) != self._writer.name:
                yield recipe, name

    def _write_index(self, entries: Mapping[str, Entry]) -> None:
        listed = [{"file": name, **entry} for name, entry in entries.items()]
        write_json(self._index, {**self._common, "pictures": listed})

    def _write(self, name: str, picture: Image.Image | Exception, failures: int) -> Entry:
        if isinstance(picture, Exception):
            reason = f"{type(picture).__name__}: {picture}"
            return {"content": "", "state": "failed", "failures": failures + 1, "error": reason}
        self._writer.save(picture, self.folder / name)
        content, state = self._checked[name] = file_hash(self.folder / name), state_of(picture)
        written = {} if self._writer.name == BARE.name else {WRITER: self._writer.name}
        return {"content": content, "state": state, **written}

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

    def _entries(self, *, tell: bool = False) -> dict[str, Entry]:
        """By file. An index that cannot be read counts as empty, and is written anew."""
        try:
            common, listed = read_index(self._index)
        except FileNotFoundError:
            return {}
        except UserError as error:
            if tell:
                log.warning("%s Until then the files' names say what they show.", error)
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

    Raises FileNotFoundError where there is none, and UserError where it is no index.
    """
    content = read_json(file, REMEDY)
    common = content if isinstance(content, dict) else {}
    listed = common.pop("pictures", None) if common else content
    if not isinstance(listed, list):
        refuse(file, "it is no index of pictures", REMEDY)
    entries = [entry.model_dump(exclude_unset=True) for entry in typed(LISTED, listed, file, REMEDY)]
    inside = [entry for entry in entries if is_inside(file.parent, entry["file"])]
    if len(inside) < len(entries):
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
