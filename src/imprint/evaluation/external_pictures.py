"""Pictures that another program generated: which prompts they were generated from, and which picture belongs to which.

Three layouts: an index (`metadata.jsonl`, or `pictures.json` as `imprint generate` writes it) that names each file's
prompt; a folder for each prompt, named by its number or by its words; files whose names begin with the prompt's number.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imprint.evaluation.prompts import PromptSet
from imprint.evaluation.records import PictureRequest, Shot
from imprint.foreign_files import parse_json, read_json, read_text
from imprint.hashing import file_hash
from imprint.pictures.files import BACKGROUND, is_transparent, open_picture, state_of
from imprint.pictures.low import LOW
from imprint.pictures.store import is_inside
from imprint.templates import template_fault
from imprint.types import Concept

INDICES = ("metadata.jsonl", "pictures.json")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"}
FILE_KEYS = ("file_name", "file", "image")
PROMPT_KEYS = ("prompt", "text", "caption")
SHOWN = 5  # names in a message


class GivenPrompt(NamedTuple):
    text: str  # as the model saw it
    template: str
    category: str


class FoundPicture(NamedTuple):
    """A file, and its prompt by an index or by the names of the file and its folder."""

    file: Path
    prompt: str | int | None  # the text, the number, or unknown


class ExternalPictures(NamedTuple):
    """`shots` are in the order of the prompts; unreadable ones are failed."""

    shots: list[Shot]
    asked: int


def profile_prompts(prompts: PromptSet, kind: str, concept: Concept) -> list[GivenPrompt]:
    """A profile's own list, in which numbers count restricted ones, too."""
    return [GivenPrompt(_filled(one.template, concept), one.template, one.category) for one in prompts.of(kind)]


def given_prompts(
    texts: Sequence[str], known: Sequence[GivenPrompt], concept: Concept
) -> tuple[list[GivenPrompt], list[str]]:
    """A user's own prompts, filled or with places, and what is wrong with them. One that is in the list `known` has the
    category that it has there."""
    categories = {prompt.template: prompt.category for prompt in known}
    found, faults = [], []
    for text in texts:
        is_template = "{" in text
        if is_template and (fault := template_fault(text)):
            faults.append(f"prompts: {fault}")
            continue
        template = text if is_template else _template(text, concept)
        found.append(GivenPrompt(_filled(template, concept), template, categories.get(template, "")))
    if twice := sorted({prompt.text for prompt in found if sum(prompt.text == other.text for other in found) > 1}):
        faults.append(f"prompts: {', '.join(map(repr, twice))} may be given only once.")
    if concept.identifier and found and not any("{identifier}" in prompt.template for prompt in found):
        faults.append(f"identifier={concept.identifier!r}: no prompt says it. Give the word that the prompts have.")
    return found, faults


def find_pictures(folder: Path) -> tuple[list[FoundPicture], list[str]]:
    """Every picture below `folder`, in natural order, and what is wrong with the index."""
    for name in INDICES:
        if (folder / name).is_file():
            return _indexed(folder / name)
    return [FoundPicture(file, _prompt_by_name(file, folder)) for file in _pictures(folder)], []


def named_prompts(found: Sequence[FoundPicture]) -> list[str]:
    """The prompts that an index names, in the order in which they first come up."""
    return list(dict.fromkeys(picture.prompt for picture in found if isinstance(picture.prompt, str)))


def match(
    found: Sequence[FoundPicture], prompts: Sequence[GivenPrompt], set: str = "subject"
) -> tuple[ExternalPictures, list[str]]:
    """Which picture belongs to which prompt, and everything that is wrong.

    Each prompt is asked for as often as the one that has the most pictures.
    """
    numbers = {_plain(prompt.text): number for number, prompt in enumerate(prompts)}
    of: dict[int, list[Path]] = {number: [] for number in range(len(prompts))}
    stray: list[FoundPicture] = []
    for picture in found:
        file, prompt = picture
        number = prompt if isinstance(prompt, int) else numbers.get(_plain(prompt or ""))
        if number in of:
            of[number].append(file)
        else:
            stray.append(picture)
    most = max(len(files) for files in of.values())
    shots, unreadable = [], []
    for number, (text, template, category) in enumerate(prompts):
        for k, file in enumerate(of[number]):
            shot, fault = _shot(file, text, PictureRequest(set, number, template, category, k))
            shots.append(shot)
            unreadable += [fault] if fault else []
    faults = [*_stray(stray, len(prompts)), *_missing(of, prompts, most), *_same(shots)]
    if unreadable:
        faults.append(f"cannot be read: {_listed(unreadable)}. Draw them again.")
    return ExternalPictures(shots, most * len(prompts)), faults


def class_pictures(folder: Path, prompts: Sequence[GivenPrompt]) -> tuple[ExternalPictures, list[str]]:
    """Pictures of the class prompts, and everything that is wrong. With a single prompt, every picture is of it."""
    found, faults = find_pictures(folder)
    if not found:
        return ExternalPictures([], 0), [*faults, "there is no picture here. Give a folder of pictures."]
    if len(prompts) == 1:
        found = [picture._replace(prompt=0) for picture in found]
    pictures, wrong = match(found, prompts, "class")
    return pictures, [*faults, *wrong]


def _template(text: str, concept: Concept) -> str:
    for word, place in ((concept.identifier, "{identifier}"), (concept.noun, "{noun}")):
        if word:
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", place, text)
    return text


def _filled(template: str, concept: Concept) -> str:
    return " ".join(concept.fill(template).split())


def _stray(found: Sequence[FoundPicture], count: int) -> Iterator[str]:
    if named := [f"{file.name} of {prompt!r}" for file, prompt in found if isinstance(prompt, str)]:
        yield (
            f"{_listed(named)}: that is none of the prompts. Where an index of the pictures names them (pictures.json, "
            "metadata.jsonl), leave prompts out."
        )
    if files := [file for file, prompt in found if not isinstance(prompt, str)]:
        yield (
            f"{_listed([file.name for file in files])}: of no prompt. Prompts are counted from 0 to {count - 1}: "
            "name a file NUMBER-anything.png, or its folder by the number or the words of the prompt, or list it in "
            "metadata.jsonl."
        )


def _missing(of: Mapping[int, Sequence[Path]], prompts: Sequence[GivenPrompt], most: int) -> Iterator[str]:
    missing = [
        f"{most - len(files)} of prompt {number} ({prompts[number].text!r})"
        for number, files in of.items()
        if len(files) < most
    ]
    if missing:
        yield f"pictures are missing: {_listed(missing)}. Draw them, or give missing=count to count them."


def _same(shots: Sequence[Shot]) -> Iterator[str]:
    counts = Counter(shot.content for shot in shots if shot.state == "ok")
    for content, count in counts.items():
        if count > 1:
            names = [shot.file.name for shot in shots if shot.content == content]
            yield f"{_listed(names)} are one and the same picture. Draw each with noise of its own."


def _shot(file: Path, prompt: str, asked: PictureRequest) -> tuple[Shot, str | None]:
    try:
        # Features that are kept know a picture by its content, to which belongs what shows through it.
        content = f"{file_hash(file)} on {BACKGROUND}" if is_transparent(file) else file_hash(file)
        return Shot(asked, prompt, 0, file, content, state_of(open_picture(file))), None
    except Exception as error:  # whatever the decoders raise
        return Shot(asked, prompt, 0, file, "", "failed"), f"{file.name} ({error})"


def _indexed(index: Path) -> tuple[list[FoundPicture], list[str]]:
    try:
        rows = _rows(index)
    except ValueError as error:
        return [], [f"{index} cannot be read ({error}). Mend it, or take it away."]
    found, faults = [], []
    lows = {row[LOW] for row in rows if isinstance(row, Mapping) and isinstance(row.get(LOW), str)}
    for place, row in enumerate(rows, start=1):
        name, prompt = (_first(row, keys) if isinstance(row, Mapping) else None for keys in (FILE_KEYS, PROMPT_KEYS))
        if not isinstance(name, str) or not isinstance(prompt, str):
            faults.append(f"{index.name}, entry {place}: a file (file_name) and its prompt (prompt) are needed.")
        elif not is_inside(index.parent, name):
            faults.append(f"{index.name}, entry {place}: {name} lies outside of the folder. Copy it there.")
        elif name not in lows:  # the pictures made of these are scored
            found.append(FoundPicture(index.parent / name, prompt))
    twice = [file.name for file, count in Counter(picture.file for picture in found).items() if count > 1]
    if twice:
        faults.append(f"{index.name} names {_listed(twice)} more than once.")
    named = {picture.file for picture in found} | {index.parent / name for name in lows}
    unnamed = [file.name for file in _pictures(index.parent) if file not in named]
    if unnamed:
        faults.append(f"{index.name} does not name {_listed(unnamed)}. Add them, or take them away.")
    return found, faults


def _rows(index: Path) -> list[Any]:
    if index.suffix == ".jsonl":
        return [parse_json(line) for line in read_text(index).split("\n") if line.strip()]
    content = read_json(index)
    rows = content.get("pictures") if isinstance(content, Mapping) else content
    if not isinstance(rows, list):
        raise ValueError("it holds no list of pictures")
    return rows


def _first(row: Mapping[str, Any], keys: Iterable[str]) -> Any:
    return next((row[key] for key in keys if key in row), None)


def _pictures(folder: Path) -> list[Path]:
    """In the folder and those in it. What is hidden is being written, or none of the pictures."""
    visible = _visible(folder)
    files = [*visible, *(file for inner in visible if inner.is_dir() for file in _visible(inner))]
    pictures = [file for file in files if file.is_file() and file.suffix.lower() in SUFFIXES]
    return sorted(pictures, key=lambda file: [*_natural(file.parent.name), *_natural(file.name)])


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _natural(name: str) -> Iterator[tuple[int, str]]:
    for index, part in enumerate(re.split(r"([0-9]+)", name)):
        yield (int(part), "") if index % 2 else (-1, part)


def _prompt_by_name(file: Path, folder: Path) -> str | int | None:
    """The folder's name is the prompt of all its pictures; else the file's name begins with the prompt's number."""
    if file.parent != folder:
        name = file.parent.name
        return int(name) if name.isdecimal() else name
    number = re.match(r"([0-9]+)(?![0-9])", file.name)
    return int(number[1]) if number else None


def _plain(text: str) -> str:
    """A prompt as a folder's name may have it: what stands between words, and capitals, do not count."""
    return "-".join(re.findall(r"\w+", text.casefold().replace("_", " ")))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
