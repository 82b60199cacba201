"""What a report knows of a run: only what lies in its folder."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from imprint.errors import UserError
from imprint.locations import locate
from imprint.reporting import labels
from imprint.reporting.local import final_loss, read_metrics
from imprint.reporting.samples import SampleEntry, read_samples
from imprint.runs import Run

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


class RunRecord(NamedTuple):
    name: str
    folder: Path
    status: str  # running, failed or finished; a run that was killed still says running
    identifiers: tuple[str, ...]  # the words that name the subjects in this run's prompts
    settings: dict[str, str]  # dotted key -> value; a configured class is the value of its own key
    steps: int | None
    loss: float | None
    seconds: float | None
    peak_memory_bytes: int | None
    curve: list[tuple[int, float]]
    samples: list[SampleEntry]
    references: list[Path]
    error: str


def find_runs(folders: Sequence[Path]) -> list[RunRecord]:
    """Every run in and below the folders, by name. Raises UserError when there is none."""
    manifests = {path.resolve() for folder in folders for path in folder.rglob("manifest.json")}
    if not manifests:
        named = ", ".join(map(str, folders))
        raise UserError(f"No run lies in {named}. Give the folder of a run, or one that holds runs.")
    return [read_run(Run(manifest.parent)) for manifest in sorted(manifests)]


def read_run(run: Run) -> RunRecord:
    """Takes a half-finished run as it is: what is not there is None or empty."""
    manifest = run.read()
    training = manifest.get("training", {})
    config = yaml.safe_load(run.config.read_text(encoding="utf-8")) if run.config.is_file() else None
    config = config if isinstance(config, dict) else {}
    metrics = read_metrics(run.metrics)
    steps = [int(step) for step in metrics.get("step", []) if step is not None]
    curve = [(step, loss) for step, loss in zip(steps, metrics.get("loss", []), strict=False) if loss is not None]
    return RunRecord(
        name=run.folder.name,
        folder=run.folder,
        status=run.status,
        identifiers=tuple(concept.identifier for concept in run.concepts),
        settings=dict(_flat(config)) if config else {},
        steps=steps[-1] if steps else training.get("steps"),
        loss=final_loss(run.metrics),
        seconds=training.get("seconds"),
        peak_memory_bytes=training.get("peak_memory_bytes"),
        curve=curve,
        samples=read_samples(run),
        references=_references(config),
        error=run.error.read_text(encoding="utf-8", errors="replace").strip() if run.error.is_file() else "",
    )


def differing(records: Sequence[RunRecord]) -> list[str]:
    """The settings that tell the runs apart, in the order in which they are configured."""
    return labels.differing([record.settings for record in records])


def _flat(value: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            if key == "_target_":
                yield prefix, str(inner).rpartition(".")[2]
            else:
                yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, str(value)


def _references(config: Mapping[str, Any]) -> list[Path]:
    """The pictures of the subject, where the configuration names a folder that this machine has."""
    dataset = config.get("dataset")
    path = dataset.get("path") if isinstance(dataset, Mapping) else None
    if not isinstance(path, str) or "${" in path:
        return []
    try:
        return sorted(file for file in locate(path).iterdir() if file.suffix.lower() in PICTURES)
    except (OSError, ImportError, ValueError):
        return []
