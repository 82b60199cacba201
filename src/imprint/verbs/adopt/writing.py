"""A finished run of what adopted files hold."""

import logging
import time
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from imprint.config import signature
from imprint.construct import rebuilt
from imprint.files import folder_atomically, write_text
from imprint.kinds import KIND, kind_of, recorded
from imprint.methods.adopted import Adopted
from imprint.methods.lora import FILE
from imprint.methods.word_files import FILE as WORD_FILE
from imprint.methods.word_files import write_word
from imprint.models.base import MetaModel, ModelInfo
from imprint.planning.identity import one_or_all
from imprint.planning.subjects import Subject
from imprint.provenance import describe, folder_bytes
from imprint.reporting.model_card import origin
from imprint.reporting.redaction import redacted
from imprint.results.load import place_of
from imprint.results.lora_file import write_lora
from imprint.runs import Run
from imprint.verbs.adopt.reading import Found

log = logging.getLogger(__name__)


def written(
    cfg: DictConfig,
    found: Found,
    *,
    partial: bool,
    facts: ModelInfo,
    outline: MetaModel,
    subject: Subject,
    name: str,
    outputs: Path,
) -> Run:
    """The run, in a folder of its own in `outputs`; the one that is there, if these files were adopted before."""
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
        "files": [note["sha256"] for note in found.notes],
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
        usage = rebuilt(method, "method", Adopted).usage([concept], facts)
        write_text(folder / "README.md", _card(concept.identifier, concept.noun, usage, found))
    run.note({"status": "finished", "finished": _now(), "result_bytes": folder_bytes(run.result)})
    log.info("Adopted: %s", run.folder)
    return run


def _sizes(found: Found) -> dict[str, int]:
    sizes = {role: sum(sum(map(torch.numel, own)) for own in layers.values()) for role, layers in found.updates.items()}
    return {
        **sizes,
        **(
            {"words": sum(x.numel() for vectors in found.word.values() for x in vectors.values())} if found.word else {}
        ),
    }


def _card(identifier: str, noun: str, usage: str, found: Found) -> str:
    files = "\n".join(f"- {note['file']} (sha256 {str(note['sha256'])[:16]})" for note in found.notes)
    word = identifier.replace("<", "&lt;").replace(">", "&gt;")
    return (
        f"# {word} {noun}\n\nTrained elsewhere; converted, with the same effect, from\n\n{files}\n\n"
        f'```python\nfolder = "path/to/this/folder"\n{usage}\n```\n'
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
