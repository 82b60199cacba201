"""The README.md of a result: what it is, how to use it, what it was made of."""

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from imprint.errors import UserError
from imprint.files import write_text
from imprint.kinds import label_of
from imprint.manifest import Manifest
from imprint.reporting.samples import read_samples
from imprint.runs import Run
from imprint.tables.markdown import code_block, code_cell, plain

if TYPE_CHECKING:
    from jinja2 import Template

log = logging.getLogger(__name__)


def write_model_card(run: Run, folder: Path, *, usage: str) -> None:
    """Writes `folder`/README.md from the manifest of the run, and its final samples beside it."""
    manifest = run.read()
    pictures = _copy_final_samples(run, folder)
    base = _base(manifest)
    front = {
        "base_model": base,
        "library_name": "diffusers",
        "tags": ["text-to-image", "personalisation", label_of(manifest.config.method)],
    }
    text = _template().render(
        front=yaml.safe_dump(front, sort_keys=False),
        manifest=manifest,
        run=run.signature,
        config=manifest.config,
        method=label_of(manifest.config.method),
        concepts=run.concepts,
        pictures=pictures,
        base=base,
        usage=usage,
    )
    write_text(folder / "README.md", text)


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("imprint.reporting"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": plain, "code_cell": code_cell, "code_block": code_block}
    return environment.get_template("model_card.md.jinja")


def origin(run: Run) -> dict[str, str]:
    """The most important facts, as metadata of a result's files."""
    manifest = run.read()
    return {
        "title": manifest.name,
        "trigger_words": ", ".join(f"{concept.identifier} {concept.noun}" for concept in run.concepts),
        "base_model": _base(manifest),
        "base_model_sha256": manifest.content.model,
        "method": label_of(manifest.config.method),
        "steps": str(manifest.config.steps),
        "batch_size": str(manifest.config.batch_size),
        "run": run.signature,
    }


def _base(manifest: Manifest) -> str:
    source = str(manifest.config.model.get("source", ""))
    return source if is_hub_id(source) else Path(source).name  # paths of this machine are private


def is_hub_id(source: str) -> bool:
    """Whether a model's source is a repository of the hub, which others can load, too."""
    return source.count("/") == 1 and not source.startswith((".", "/", "~")) and not Path(source).exists()


def _copy_final_samples(run: Run, folder: Path) -> list[dict[str, Any]]:
    try:
        entries = [entry for entry in read_samples(run) if (run.samples / entry.file).is_file()]
    except UserError as error:  # what was trained is worth more than its pictures
        log.warning("%s The result has no pictures beside it.", error)
        entries = []
    last = max((entry.step for entry in entries), default=0)
    pictures = []
    for entry in entries:
        if entry.step == last and last > 0:
            name = f"samples/{Path(entry.file).name}"
            (folder / "samples").mkdir(exist_ok=True)
            (folder / name).write_bytes((run.samples / entry.file).read_bytes())
            pictures.append({"file": name, "prompt": entry.prompt, "seed": entry.seed})
    return pictures
