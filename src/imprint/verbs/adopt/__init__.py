"""imprint adopt: files that were trained elsewhere as a finished run, to generate with, score, export and compare."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from imprint.config import resolved, signature
from imprint.construct import Constructor, rebuilt
from imprint.data.dataset import Dataset, JointDataset
from imprint.errors import ConfigError, Problem
from imprint.files import folder_atomically, write_text
from imprint.kinds import KIND, kind_of, recorded
from imprint.locations import locate
from imprint.methods.adopted import Adopted
from imprint.methods.lora import FILE
from imprint.methods.word_files import FILE as WORD_FILE
from imprint.methods.word_files import write_word
from imprint.models.base import ModelSource
from imprint.models.facts import MetaModel, ModelInfo
from imprint.planning.identity import one_or_all
from imprint.planning.naming import find_nouns
from imprint.planning.subjects import Subject, find_concepts, find_subjects, photo_hashes
from imprint.provenance.environment import describe, folder_bytes
from imprint.reporting.model_card import origin, program, use_section
from imprint.reporting.redaction import redacted
from imprint.requests import as_list
from imprint.results.load import place_of
from imprint.results.lora_file import write_lora
from imprint.runs import Run
from imprint.setting_types import FolderName, Place
from imprint.tables.markdown import code_block, plain
from imprint.verbs.adopt.reading import FileContents, named, read

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `adopt.yaml` asks for, but for the model and the pictures."""

    files: str | list[str]
    partial: bool
    name: FolderName | None
    outputs: Place


def main(cfg: DictConfig) -> None:
    adopt(cfg)


def adopt(cfg: DictConfig) -> Run:
    """The finished run. Raises UserError for files that do not fit the model, naming what does not."""
    tree = resolved(cfg)
    constructor = Constructor()
    own = {key: tree[key] for key in ("files", "partial", "name", "outputs")}
    request: Request | None = constructor.build({**own, "_target_": f"{__name__}.Request"}, "")
    model: ModelSource | None = constructor.build(tree["model"], "model")
    dataset: Dataset | JointDataset | None = constructor.build(tree["dataset"], "dataset")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    assert request and model and dataset
    if isinstance(dataset, JointDataset):
        raise ConfigError([Problem("dataset", "joint", "files are adopted for one subject. Give dataset=folder.")])
    facts, outline = model.facts(), model.meta_model()
    files = [locate(file) for file in as_list(request.files)]
    found = read(files, outline, partial=request.partial)
    dataset.identifier, word = named(found, dataset.identifier, dataset.class_noun, files, facts)
    problems: list[Problem | str] = []
    nouns = find_nouns(dataset, model, problems)
    subjects = find_subjects(dataset, find_concepts(dataset, nouns, facts, None, problems), problems)
    if problems:
        raise ConfigError(problems)
    assert subjects
    return _write(
        cfg,
        found._replace(word=word),
        partial=request.partial,
        facts=facts,
        outline=outline,
        subject=subjects[0],
        name=request.name or files[0].stem,
        outputs=locate(request.outputs),
    )


def _write(
    cfg: DictConfig,
    found: FileContents,
    *,
    partial: bool,
    facts: ModelInfo,
    outline: MetaModel,
    subject: Subject,
    name: str,
    outputs: Path,
) -> Run:
    """The run, in a folder of its own in `outputs`; the existing one, if these files were adopted before."""
    method = {
        KIND: kind_of(Adopted),
        "roles": list(found.updates),
        "word": bool(found.word),
        "templates": ["a {identifier} {noun}"],
    }
    config = {**recorded(redacted(cfg)), "method": method}
    content = {
        "model": facts.fingerprint,
        "dataset": one_or_all([subject.pictures.fingerprint]),
        "prior": {},
        "files": [" ".join(str(note[key]) for key in ("sha256", "settings") if key in note) for note in found.notes],
    }
    concept = subject.concept
    identity = {"content": content, "concept": [concept.identifier, concept.noun], "partial": partial}
    run = Run(outputs / f"{name}-{signature(identity)}")
    if run.status == "finished":
        log.info("Adopted before: %s", run.folder)
        return run
    about: dict[str, Any] = {
        "status": "running",
        "name": name,
        "signature": run.signature,
        "concepts": [concept._asdict()],
        "content": content,
        "photos": photo_hashes([subject]),
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
            write_lora(folder / FILE, torch.float32, model=outline, updates=found.updates, origin=facts_of_files)
        if found.word:
            [(word, vectors)] = found.word.items()
            about = {**facts_of_files, "trigger_words": concept.identifier}
            write_word(folder / WORD_FILE, word, vectors, about)
        source = str(config["model"].get("source", ""))
        usage = program(rebuilt(method, "method", Adopted).usage([concept], facts), source)
        write_text(folder / "README.md", _card(concept.identifier, concept.noun, usage, found, config["dataset"]))
    run.note({"status": "finished", "finished": _now(), "result_bytes": folder_bytes(run.result)})
    log.info("Adopted: %s", run.folder)
    return run


def _sizes(found: FileContents) -> dict[str, int]:
    sizes = {role: sum(sum(map(torch.numel, own)) for own in layers.values()) for role, layers in found.updates.items()}
    if found.word:
        sizes["words"] = sum(vector.numel() for vectors in found.word.values() for vector in vectors.values())
    return sizes


def _card(identifier: str, noun: str, usage: str, found: FileContents, dataset: Mapping[str, Any]) -> str:
    files = "\n".join(f"- {plain(str(note['file']))} (sha256 {str(note['sha256'])[:16]})" for note in found.notes)
    title = plain(f"{identifier} {noun}")
    history = f"Trained elsewhere; converted, with the same effect, from\n\n{files}"
    return f"# {title}\n\n{history}\n\n{code_block(usage, 'python')}\n\n{use_section(dataset)}"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
