"""A folder of pictures that were drawn to be judged, and `pictures.json`, which says what made each.

Several processes may add to it at once. A picture is there if the index has it and the file is what the index says.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock
from PIL import Image

from imprint.evaluation.records import Asked, Shot, State
from imprint.files import write_atomically, write_json
from imprint.hashing import file_hash

INDEX = "pictures.json"
NEEDED = {"file", "prompt", "seed", "content", "state", "failures"}


class Order(NamedTuple):
    """A picture to be drawn: what is asked for, as this model is told it."""

    asked: Asked
    prompt: str
    seed: int

    @property
    def file(self) -> str:
        return f"{self.asked.number:03d}-{self.asked.k}.png"


class Gallery:
    """The pictures of `orders`, all of one set, in `folder`. `recipe` is what they have in common.

    A picture whose drawing failed counts as missing for whoever comes later, and as settled for those who saw it fail.
    """

    def __init__(self, folder: Path, orders: Sequence[Order], recipe: Mapping[str, Any]) -> None:
        self.folder = folder
        self.orders = orders
        self.recipe = recipe
        self._failed_before = {file: entry["failures"] for file, entry in self._read().items()}
        self._sound: dict[str, str] = {}  # file -> content, of files that were compared with it

    def missing(self) -> list[Order]:
        entries = self._read()
        return [order for order in self.orders if not self._is_settled(order, entries.get(order.file))]

    def shots(self) -> list[Shot]:
        """All pictures of the orders that are settled, in their order, failed and blank ones too."""
        entries = self._read()
        return [
            Shot(order.asked, order.prompt, order.seed, self.folder / order.file, entry["content"], entry["state"])
            for order in self.orders
            if self._is_settled(order, entry := entries.get(order.file, {}))
        ]

    @property
    def reasons(self) -> list[str]:
        """Why pictures failed."""
        entries = self._read()
        return list(dict.fromkeys(entry["error"] for entry in entries.values() if "error" in entry))

    def add(self, pictures: Sequence[tuple[Order, Image.Image | Exception]]) -> None:
        """Writes pictures, and notes those that could not be drawn. What another process has added stays."""
        with self._writing():
            entries = self._read()
            for order, picture in pictures:
                entry = entries.get(order.file)
                if self._is_settled(order, entry):
                    continue
                failures = entry["failures"] if entry else 0
                entries[order.file] = self._entry(order, picture, failures)
            described = [{"file": file, **entries[file]} for file in sorted(entries)]
            write_json(self.folder / INDEX, {**self.recipe, "pictures": described})

    def _entry(self, order: Order, picture: Image.Image | Exception, failures: int) -> dict[str, Any]:
        told = {**order.asked._asdict(), "prompt": order.prompt, "seed": order.seed}
        if isinstance(picture, Exception):
            reason = f"{type(picture).__name__}: {picture}"
            return {**told, "content": "", "state": "failed", "failures": failures + 1, "error": reason}
        write_atomically(self.folder / order.file, lambda temporary: picture.save(temporary, format="PNG"))
        content = file_hash(self.folder / order.file)
        self._sound[order.file] = content
        return {**told, "content": content, "state": state_of(picture), "failures": failures}

    def _is_settled(self, order: Order, entry: Mapping[str, Any] | None) -> bool:
        if not entry or (entry["prompt"], entry["seed"]) != (order.prompt, order.seed):
            return False
        if entry["state"] == "failed":
            return bool(entry["failures"] > self._failed_before.get(order.file, 0))
        file = self.folder / order.file
        if not file.is_file():
            return False
        if order.file not in self._sound:
            self._sound[order.file] = file_hash(file)
        return bool(self._sound[order.file] == entry["content"])

    def _read(self) -> dict[str, dict[str, Any]]:
        """Entries by file. An index that cannot be read is as good as none: the pictures are drawn again."""
        try:
            described = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))["pictures"]
            return {entry.pop("file"): entry for entry in described if entry.keys() >= NEEDED}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".index.lock"):
            yield


def key_of(recipe: Mapping[str, Any]) -> str:
    """What a folder is called that holds all that was drawn by `recipe`, and nothing else."""
    text = json.dumps(recipe, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def state_of(picture: Image.Image) -> State:
    """A picture of one colour shows nothing: a safety checker's black, or numbers that overflowed."""
    return "blank" if all(len(set(band.getextrema())) == 1 for band in picture.convert("RGB").split()) else "ok"
