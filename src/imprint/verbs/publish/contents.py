"""What is published of a run, and what speaks against it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from imprint.errors import Problem, UserError
from imprint.foreign_files import Malformed, Unreadable, read_text
from imprint.manifest import Manifest
from imprint.provenance.marks import read_marks
from imprint.reporting.model_card import CARD
from imprint.reporting.photos import photos_of
from imprint.runs import Run

SAMPLES = "samples/"
WHOLE = "model_index.json"  # what a whole pipeline has
UNSTATED = re.compile(r"^Rights in the pictures it was taught from.*: not stated\.$", re.MULTILINE)
FRONT = re.compile(r"\A---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Files by their names in the repository; the card as text, since it may differ from the file."""

    files: dict[str, Path]
    card: str
    notes: tuple[str, ...]

    @property
    def size(self) -> str:
        return _size(len(self.card.encode()) + sum(file.stat().st_size for file in self.files.values()))

    def sizes(self) -> Iterator[tuple[str, str]]:
        yield CARD, _size(len(self.card.encode()))
        for name, file in self.files.items():
            yield name, _size(file.stat().st_size)


def contents_of(run: Run, *, pictures: bool) -> Contents:
    """Raises UserError where the result has no card, or has links to other places."""
    files = {file.relative_to(run.result).as_posix(): file for file in sorted(run.result.rglob("*"))}
    if linked := [name for name, file in files.items() if file.is_symlink()]:
        raise UserError(f"{run.result}: {', '.join(linked)}: links are not published. Put the files themselves there.")
    files = {name: file for name, file in files.items() if file.is_file() and not file.name.startswith(".")}
    if CARD not in files:
        raise UserError(f"{run.result}: there is no {CARD}. Finish the run by its command again, or write one there.")
    try:
        card = read_text(files.pop(CARD))
    except (Malformed, Unreadable) as error:
        raise UserError(f"{run.result / CARD}: it is {error}. Write it again.") from error
    if not pictures:
        files = {name: file for name, file in files.items() if not name.startswith(SAMPLES)}
        card = _without_pictures(card)
    return Contents(files=files, card=card, notes=tuple(_notes(run)))


def problems_of(run: Run, contents: Contents, *, is_public: bool) -> Iterator[Problem]:
    """Rights that are not stated, photos that forbid it, and pictures that do not say what made them."""
    manifest = run.read()
    if is_public and UNSTATED.search(contents.card):
        remedy = (
            "the card says of the photos' rights: not stated. Write into it, "
            f"{run.result / CARD}, whose they are and who of those shown has consented; or train with dataset.rights."
        )
        yield Problem("private", False, remedy)
    if forbidding := list(_forbidding(manifest)):
        remedy = (
            f"{', '.join(forbidding)} forbids in its metadata that it is trained on. Have the leave of whose they are: "
            "a run with dataset.opt_out=ignore says that you do."
        )
        yield Problem("run", str(run.folder), remedy)
    samples = {name: file for name, file in contents.files.items() if name.startswith(SAMPLES)}
    if unmarked := [name for name, file in samples.items() if not read_marks(file.read_bytes()).synthetic]:
        remedy = f"{', '.join(unmarked)} are not marked as made by a model. pictures=false leaves them out."
        yield Problem("pictures", True, remedy)


def _forbidding(manifest: Manifest) -> Iterator[str]:
    """The photos, where they are on this machine still, whose metadata does."""
    nodes = manifest.config.dataset.get("subjects") or {"": manifest.config.dataset}
    if all(node.get("opt_out") == "ignore" for node in nodes.values()):
        return
    for photo in photos_of(manifest):
        if read_marks(photo.read_bytes()).reservations:
            yield photo.name


def _notes(run: Run) -> Iterator[str]:
    if (run.result / WHOLE).is_file():
        yield (
            "This is a whole model: the base model's weights go along, and its licence says whether they may. "
            "imprint export format=kohya rank=64 writes what was learned alone."
        )
    if not photos_of(run.read()):
        yield "The photos are not on this machine any more, so what their metadata says could not be looked at."


def _without_pictures(card: str) -> str:
    """Neither the table of them nor the widget that shows them."""
    if front := FRONT.match(card):
        try:
            said = yaml.safe_load(front[1])
        except yaml.YAMLError:
            said = None
        if isinstance(said, dict) and said.pop("widget", None):
            card = f"---\n{yaml.safe_dump(said, sort_keys=False, allow_unicode=True)}---\n{card[front.end() :]}"
    return "".join(line for line in card.splitlines(keepends=True) if f"]({SAMPLES}" not in line)


def _size(count: int) -> str:
    for unit, bytes_each in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= bytes_each:
            return f"{count / bytes_each:.1f} {unit}"
    return f"{count} bytes"
