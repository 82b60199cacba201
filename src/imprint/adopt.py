"""imprint adopt: files that were trained elsewhere as a finished run, to draw, score, export and compare."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from imprint.build import place_of
from imprint.build.identity import one_or_all
from imprint.build.subjects import Subject, find_concepts, find_nouns, find_subjects
from imprint.config import resolved, signature
from imprint.construct import Constructor
from imprint.data.dataset import AUTO, Dataset
from imprint.data.joint import JointDataset
from imprint.errors import ConfigError, Problem, UserError
from imprint.families.base import Facts, ModelSource, Outline
from imprint.families.words import why_not_new
from imprint.files import folder_atomically, write_text
from imprint.hashing import file_hash
from imprint.locations import locate
from imprint.methods.adapter_layers import write_weights
from imprint.methods.adopted import Adopted
from imprint.methods.foreign import Adapters, Words, read_foreign
from imprint.methods.lora_file import FILE, write_lora
from imprint.methods.low_rank import LowRank
from imprint.methods.textual_inversion import FILE as WORD_FILE
from imprint.provenance import describe, folder_bytes
from imprint.reporting.model_card import origin
from imprint.reporting.redaction import redacted
from imprint.runs import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `adopt.yaml` asks for, but for the model and the pictures."""

    files: str | list[str]
    partial: bool
    name: str | None
    outputs: str


class Found(NamedTuple):
    """What the files hold."""

    updates: LowRank
    word: Mapping[str, Tensor]  # empty, or one word and its vectors
    notes: list[dict[str, object]]


def main(cfg: DictConfig) -> None:
    adopt(cfg)


def adopt(cfg: DictConfig) -> Run:
    """The finished run. Raises UserError for files that do not fit the model, naming what does not."""
    tree = resolved(cfg)
    constructor = Constructor()
    asked = {key: tree[key] for key in ("files", "partial", "name", "outputs")}
    request: Request | None = constructor.build({**asked, "_target_": f"{__name__}.Request"}, "")
    model: ModelSource | None = constructor.build(tree["model"], "model")
    dataset: Dataset | JointDataset | None = constructor.build(tree["dataset"], "dataset")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    assert request and model and dataset
    if isinstance(dataset, JointDataset):
        raise ConfigError([Problem("dataset", "joint", "files are adopted for one subject. Give dataset=folder.")])
    facts, outline = model.facts(), model.outline()
    files = [locate(file) for file in ([request.files] if isinstance(request.files, str) else request.files)]
    found = _read(files, outline, partial=request.partial)
    dataset.identifier, word = _named(found, dataset.identifier, files, facts)
    problems: list[Problem | str] = []
    nouns = find_nouns(dataset, model, problems)
    subjects = find_subjects(dataset, find_concepts(dataset, nouns, facts, None, problems), problems)
    if problems:
        raise ConfigError(problems)
    assert subjects
    found = found._replace(word=word)
    name = request.name or files[0].stem
    return _written(cfg, request, found, facts=facts, outline=outline, subject=subjects[0], name=name)


def _read(files: list[Path], outline: Outline, *, partial: bool) -> Found:
    updates: list[LowRank] = []
    words: list[Mapping[str, Tensor]] = []
    notes: list[dict[str, object]] = []
    problems: list[str] = []
    for file in files:
        try:
            content = read_foreign(file, outline, partial=partial)
        except UserError as error:
            problems.append(str(error))
            continue
        note: dict[str, object] = {"file": file.name, "sha256": file_hash(file)}
        if isinstance(content, Adapters):
            updates.append(content.updates)
            notes.append({**note, "kind": "adapters", "keys": content.keys, "matched": content.matched})
            log.info("%s: adapters, %d of %d keys matched.", file.name, content.matched, content.keys)
        elif isinstance(content, Words):
            words.append(content.vectors)
            notes.append({**note, "kind": "word", "vectors": sum(map(len, content.vectors.values()))})
            log.info("%s: a word of %d vectors.", file.name, sum(map(len, content.vectors.values())))
    if len(updates) > 1 or len(words) > 1 or any(len(own) > 1 for own in words):
        remedy = "a run holds one LoRA and one word at most. Adopt each by itself, and join them with imprint merge."
        problems.append(str(Problem("files", [file.name for file in files], remedy)))
    if problems:
        raise ConfigError(problems)
    return Found(updates[0] if updates else {}, words[0] if words else {}, notes)


def _named(found: Found, identifier: str, files: list[Path], facts: Facts) -> tuple[str, dict[str, Tensor]]:
    """The word that names the subject, and what was learned for it."""
    if not found.word:
        if identifier == AUTO:
            remedy = "the file does not say which word it was trained with. Give its author's: dataset.identifier=sks."
            raise ConfigError([Problem("dataset.identifier", AUTO, remedy)])
        return identifier, {}
    [(own, rows_ND)] = found.word.items()
    name = identifier if identifier != AUTO else own or f"<{_word_file(files, found).stem.lower()}>"
    if fault := why_not_new(facts.tokenizer, name, len(rows_ND)):
        remedy = f"{fault} Give the learned word a new one in lower case: \"dataset.identifier='<toy>'\"."
        raise ConfigError([Problem("dataset.identifier", name, remedy)])
    return name, {name: rows_ND}


def _word_file(files: list[Path], found: Found) -> Path:
    [name] = [note["file"] for note in found.notes if note["kind"] == "word"]
    return next(file for file in files if file.name == name)


def _written(
    cfg: DictConfig, request: Request, found: Found, *, facts: Facts, outline: Outline, subject: Subject, name: str
) -> Run:
    method = {
        "_target_": f"{Adopted.__module__}.{Adopted.__qualname__}",
        "roles": list(found.updates),
        "word": bool(found.word),
        "templates": ["a {identifier} {noun}"],
    }
    config = {**redacted(cfg), "method": method}
    content = {
        "model": facts.fingerprint,
        "dataset": one_or_all([subject.pictures.fingerprint]),
        "prior": {},
        "files": [note["sha256"] for note in found.notes],
    }
    concept = subject.concept
    identity = {"content": content, "concept": [concept.identifier, concept.noun], "partial": request.partial}
    run = Run(locate(request.outputs) / f"{name}-{signature(identity)}")
    if run.status == "finished":
        log.info("Adopted before: %s", run.folder)
        return run
    about: dict[str, Any] = {
        "status": "running",
        "name": name,
        "signature": run.signature,
        "concepts": [concept._asdict()],
        "content": content,
        "model_place": place_of(cfg.model),
        "started": [_now()],
        "frame": [facts.resolution, facts.resolution],
        "trained_parameters": _sizes(found),
        "adopted": found.notes,
        "config": config,
        **describe(),
    }
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.create(config)))
    run.note(about)
    facts_of_files = {**origin(run), "adopted_from": ", ".join(str(note["file"]) for note in found.notes)}
    with folder_atomically(run.result) as folder:
        if found.updates:
            write_lora(folder / FILE, torch.float32, family=outline, updates=found.updates, origin=facts_of_files)
        if found.word:
            write_weights(folder / WORD_FILE, found.word, {**facts_of_files, "trigger_words": concept.identifier})
        usage = Constructor().build(method, "method").usage([concept])
        write_text(folder / "README.md", _card(concept.identifier, concept.noun, usage, found))
    run.note({"status": "finished", "finished": _now(), "result_bytes": folder_bytes(run.result)})
    log.info("Adopted: %s", run.folder)
    return run


def _sizes(found: Found) -> dict[str, int]:
    sizes = {role: sum(sum(map(torch.numel, own)) for own in layers.values()) for role, layers in found.updates.items()}
    return {**sizes, **({"words": sum(map(torch.numel, found.word.values()))} if found.word else {})}


def _card(identifier: str, noun: str, usage: str, found: Found) -> str:
    files = "\n".join(f"- {note['file']} (sha256 {str(note['sha256'])[:16]})" for note in found.notes)
    word = identifier.replace("<", "&lt;").replace(">", "&gt;")
    return (
        f"# {word} {noun}\n\nTrained elsewhere; converted, with the same effect, from\n\n{files}\n\n"
        f'```python\nfolder = "path/to/this/folder"\n{usage}\n```\n'
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
