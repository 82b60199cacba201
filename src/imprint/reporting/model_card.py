"""The README.md of a result: what it is, how to use it, what it was made of."""

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from imprint.errors import UserError
from imprint.files import write_text
from imprint.kinds import label_of
from imprint.locations import PACKAGE_PREFIX
from imprint.manifest import Manifest
from imprint.pictures.files import open_picture
from imprint.provenance.base import MadeBy, Provenance, result_hash
from imprint.provenance.environment import file_bytes, folder_bytes
from imprint.reporting.sample_index import read_samples
from imprint.runs import Run
from imprint.tables.markdown import code_block, code_cell, markdown, plain
from imprint.tables.table import Table

if TYPE_CHECKING:
    from jinja2 import Template

log = logging.getLogger(__name__)

CARD = "README.md"
BASE = "base"  # in a method's usage: where the base model lies
BEGIN, END = "<!-- scores: imprint writes what stands from here -->", "<!-- to here -->"


def write_model_card(run: Run, folder: Path, *, usage: str, provenance: Provenance) -> None:
    """Writes `folder`/README.md from the manifest of the run, and its final samples beside it, marked. The weights must
    be in the folder."""
    manifest = run.read()
    pictures = _copy_final_samples(run, folder, provenance)
    base = _base(manifest)
    widget = [{"text": picture["prompt"], "output": {"url": picture["file"]}} for picture in pictures]
    front = {
        **({"base_model": base} if is_hub_id(base) else {}),  # the hub refuses a card with another
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "tags": ["text-to-image", "personalisation", label_of(manifest.config.method)],
        **({"widget": widget} if widget else {}),
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
        usage=program(usage, str(manifest.config.model.get("source", ""))),
        use=use_section(manifest.config.dataset),
        scores=scores_section(manifest),
        says=provenance.says,
    )
    write_text(folder / CARD, text)


def program(usage: str, source: str) -> str:
    """Python that draws, of a method's `usage`: with the places of its parts before it. A hub id, and what is part of
    imprint, is found as it is; other places are private, so only the name of the model is told."""
    places = ['folder = "path/to/this/folder"']
    if f"({BASE}" in usage:
        places += _place_of_base(source)
    return "\n".join([*places, usage])


def _place_of_base(source: str) -> list[str]:
    if is_hub_id(source):
        return [f'{BASE} = "{source}"  # or another of its kind']
    if source.startswith(PACKAGE_PREFIX):
        return ["from imprint import locate", "", f'{BASE} = str(locate("{source}"))  # or another of its kind']
    kind = "a hub id, or a folder as diffusers writes it"
    return [f'{BASE} = "path/to/the/base/model"  # {Path(source).name}, or another of its kind: {kind}']


def use_section(dataset: Mapping[str, Any]) -> str:
    """What a result is for and what not, and the rights in the pictures of this configuration of a data set."""
    own = dataset.get("subjects") or {"": dataset}
    rights = [(name, str(node.get("rights") or "not stated")) for name, node in own.items()]
    return _template("use.md.jinja").render(rights=rights)


def update_scores(run: Run) -> None:
    """Writes the scores of the run into its result's model card, where it has a place for them; the rest of the card,
    which may have been edited, stays."""
    file = run.result / CARD
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        manifest = run.read()
        write_text(file, f"{before}{scores_section(manifest)}{after}")
        if manifest.result_files:
            run.note({"result_bytes": folder_bytes(run.result), "result_files": file_bytes(run.result)})


def scores_section(manifest: Manifest) -> str:
    """What the latest scores under each profile say; between two comments, by which it is found again."""
    latest = {(note.profile, note.subject): note.means for note in manifest.scores.values()}
    rows = [
        (profile, subject, metric, f"{mean:.3f}")
        for (profile, subject), means in latest.items()
        for metric, mean in means.items()
    ]
    table = markdown(Table.of_values(("profile", "subject", "metric", "mean"), rows)) if rows else ""
    memorised = any("memorisation" in means for means in latest.values())
    return _template("scores.md.jinja").render(begin=BEGIN, end=END, table=table, memorised=memorised)


@cache
def _template(name: str = "model_card.md.jinja") -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("imprint.reporting"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": plain, "code_cell": code_cell, "code_block": code_block}
    return environment.get_template(name)


def origin(run: Run) -> dict[str, str]:
    """The most important facts, as metadata of a result's files."""
    manifest = run.read()
    licenses = dict.fromkeys(str(note["license"]) for note in manifest.adopted if "license" in note)
    return {
        **({"resolution": "{1}x{0}".format(*manifest.frame)} if manifest.frame else {}),
        **({"license": ", ".join(licenses)} if licenses else {}),
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


def _copy_final_samples(run: Run, folder: Path, provenance: Provenance) -> list[dict[str, Any]]:
    made_by = MadeBy((run.read().content.model,), (result_hash(folder),))
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
            provenance.save(open_picture(run.samples / entry.file), folder / name, made_by)
            pictures.append({"file": name, "prompt": entry.prompt, "seed": entry.seed})
    return pictures
