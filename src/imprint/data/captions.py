"""Captions that lie beside the pictures: `metadata.jsonl`, or a text file of the picture's name."""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

from imprint.data.listing import composed, printable
from imprint.foreign_files import Unreadable, parse_json, read_text
from imprint.types import Concept

CaptionSource = Literal["auto", "prefix", "template"]

METADATA = "metadata.jsonl"
TEXTS = (".txt", ".caption")  # the second is how kohya's scripts call them by default; the first counts if they differ

log = logging.getLogger(__name__)


class Captions(NamedTuple):
    """`by_name` holds those pictures that have a caption, by file name; `problems` are lines for the user."""

    by_name: dict[str, str]
    problems: list[str]


class _Found(NamedTuple):
    """A caption as it was found."""

    name: str
    caption: str
    place: str


def read_captions(folder: Path, names: Sequence[str]) -> Captions:
    """The captions of the pictures `names` of `folder`. Problems are returned, not raised."""
    problems: list[str] = []
    by_name: dict[str, str] = {}
    found = chain(_from_metadata(folder, names, problems), _from_texts(folder, names, problems))
    for name, text, place in found:
        try:
            caption = in_one_line(text)
        except ValueError as error:
            problems.append(f"{place}: {error}")
            continue
        if by_name.setdefault(name, caption) != caption:
            problems.append(f"{place}: {printable(name)} has another caption already")
    return Captions(by_name, problems)


def in_one_line(text: str) -> str:
    """The caption without line breaks and outer blanks. Raises ValueError where nothing usable is left."""
    caption = " ".join(text.split())
    if not caption:
        raise ValueError("the caption is empty")
    if any(0xD800 <= ord(char) <= 0xDFFF for char in caption):
        raise ValueError("the caption holds half a character (a lone surrogate)")
    return caption


def with_prefix(caption: str, concept: Concept) -> str:
    """The caption, with places for the words before it if it does not say the identifier."""
    return caption if concept.is_in(caption) else f"{{identifier}} {{noun}}, {caption}"


def _from_metadata(folder: Path, names: Sequence[str], problems: list[str]) -> Iterator[_Found]:
    path = folder / METADATA
    if not path.exists():
        return
    by_composed = {composed(name): name for name in names}
    for number, line in enumerate((_text_of(path, problems) or "").split("\n"), start=1):
        place = f"{METADATA} line {number}"
        if not line.strip():
            continue
        try:
            file_name, text = _entry(line)
        except ValueError as error:
            problems.append(f"{place}: {error}")
            continue
        name = by_composed.get(composed(file_name))
        if name is None:
            problems.append(f"{place}: names {printable(file_name)}, which is no picture of this folder")
        else:
            yield _Found(name, text, place)


def _entry(line: str) -> tuple[str, str]:
    """(file name, caption) of a line. Raises ValueError with the reason."""
    entry: Any = parse_json(line)
    if not isinstance(entry, dict):
        raise ValueError("not an object with file_name and text")
    wrong = [field for field in ("file_name", "text") if not isinstance(entry.get(field), str)]
    if wrong:
        raise ValueError(f"{' and '.join(wrong)} must be there and be text")
    return entry["file_name"], entry["text"]


def _from_texts(folder: Path, names: Sequence[str], problems: list[str]) -> Iterator[_Found]:
    files = sorted(folder.iterdir())
    by_ending = {ending: {file.stem: file for file in files if file.suffix.lower() == ending} for ending in TEXTS}
    passed_over = []
    for name in names:
        beside = [own[Path(name).stem] for own in by_ending.values() if Path(name).stem in own]
        texts = [(file, text) for file in beside if (text := _text_of(file, problems)) is not None]
        if texts:
            file, text = texts[0]
            yield _Found(name, text, printable(file.name))
            passed_over += [printable(other.name) for other, own in texts[1:] if own.split() != text.split()]
    if passed_over:
        some = f"{', '.join(passed_over[:3])}{' ...' if len(passed_over) > 3 else ''}"
        log.warning("These files say something else than the .txt files beside them, which count: %s", some)


def _text_of(path: Path, problems: list[str]) -> str | None:
    """The file's text; None, and a problem, where it has none."""
    try:
        return read_text(path)
    except Unreadable as error:
        problems.append(f"{printable(path.name)}: {error}")
    return None
