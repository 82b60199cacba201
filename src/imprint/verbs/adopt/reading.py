"""The contents of adopted files, and the word that names the subject."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from imprint.config import signature
from imprint.data.dataset import AUTO
from imprint.data.listing import printable
from imprint.errors import ConfigError, Problem, UserError
from imprint.hashing import file_hash
from imprint.models.facts import MetaModel, ModelInfo
from imprint.results.external_lora import Adapters, read_external
from imprint.results.external_words import Words
from imprint.results.low_rank import LowRank

log = logging.getLogger(__name__)
LONGEST_WORD, LONGEST_TERMS = 80, 200  # characters


class FileContents(NamedTuple):
    """Of all files together."""

    updates: LowRank
    word: Mapping[str, Mapping[str, Tensor]]  # empty, or one word and its vectors by vocabulary
    trigger: str  # that the adapters' file says it was trained with; empty: it does not say
    notes: list[dict[str, object]]


def read(files: list[Path], outline: MetaModel, *, partial: bool) -> FileContents:
    updates: list[LowRank] = []
    words: list[Mapping[str, Mapping[str, Tensor]]] = []
    trigger = ""
    notes: list[dict[str, object]] = []
    problems: list[str] = []
    for file in files:
        try:
            content = read_external(file, outline, partial=partial)
        except UserError as error:
            problems.append(str(error))
            continue
        note: dict[str, object] = {"file": file.name, "sha256": file_hash(file)}
        if isinstance(content, Adapters):
            updates.append(content.updates)
            trigger = content.trigger
            if content.beside:
                note["settings"] = signature(content.beside)
            if content.license:
                note["license"] = printable(content.license[:LONGEST_TERMS])
            notes.append({**note, "kind": "adapters", "keys": content.keys, "matched": content.matched})
            log.info("%s: adapters, %d of %d keys matched.", printable(file.name), content.matched, content.keys)
        elif isinstance(content, Words):
            words.append(content.vectors)
            vectors = sum(len(next(iter(own.values()))) for own in content.vectors.values())
            notes.append({**note, "kind": "word", "vectors": vectors})
            log.info("%s: a word of %d vectors.", printable(file.name), vectors)
    if len(updates) > 1 or len(words) > 1 or any(len(own) > 1 for own in words):
        remedy = "a run holds one LoRA and one word at most. Adopt each by itself, and join them with imprint merge."
        problems.append(str(Problem("files", [file.name for file in files], remedy)))
    if problems:
        raise ConfigError(problems)
    return FileContents(updates[0] if updates else {}, words[0] if words else {}, trigger, notes)


def named(
    found: FileContents, identifier: str, noun: str, files: list[Path], facts: ModelInfo
) -> tuple[str, dict[str, Mapping[str, Tensor]]]:
    """The word that names the subject, and what was learned for it."""
    if not found.word:
        if identifier == AUTO:
            identifier = _safe(found.trigger.partition(",")[0].strip().removesuffix(noun).strip()) or AUTO
        if identifier == AUTO:
            remedy = "the file does not say which word it was trained with. Give its author's: dataset.identifier=sks."
            raise ConfigError([Problem("dataset.identifier", AUTO, remedy)])
        return identifier, {}
    [(own, vectors)] = found.word.items()
    name = identifier if identifier != AUTO else _safe(own) or f"<{_safe(_word_file(files, found).stem.lower())}>"
    if fault := facts.why_not_new(name, len(next(iter(vectors.values())))):
        remedy = f"{fault} Give the learned word a new one in lower case: \"dataset.identifier='<toy>'\"."
        raise ConfigError([Problem("dataset.identifier", name, remedy)])
    return name, {name: vectors}


def _safe(word: str) -> str:
    """What a file, or its name, says of a word. It gets into names of files, model cards and terminals."""
    if not word.isprintable() or len(word) > LONGEST_WORD:
        remedy = f"the file has {printable(word[:LONGEST_WORD])!r}, which is no word. Give one: dataset.identifier=sks."
        raise ConfigError([Problem("dataset.identifier", AUTO, remedy)])
    return word


def _word_file(files: list[Path], found: FileContents) -> Path:
    [name] = [note["file"] for note in found.notes if note["kind"] == "word"]
    return next(file for file in files if file.name == name)
