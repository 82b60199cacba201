"""Captions that lie beside the pictures: `metadata.jsonl`, or a text file of the picture's name."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

from imprint.data.listing import composed, printable
from imprint.foreign_files import Unreadable, parse_json, read_text
from imprint.types import Concept

CaptionSource = Literal["auto", "prefix", "template"]

METADATA = "metadata.jsonl"


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
    texts = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".txt"}
    for name in names:
        file = texts.get(Path(name).stem)
        text = _text_of(file, problems) if file else None
        if file and text is not None:
            yield _Found(name, text, printable(file.name))


def _text_of(path: Path, problems: list[str]) -> str | None:
    """The file's text; None, and a problem, where it has none."""
    try:
        return read_text(path)
    except Unreadable as error:
        problems.append(f"{printable(path.name)}: {error}")
    return None
