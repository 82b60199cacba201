"""What a report knows of a run: only what lies in its folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from imprint.errors import UserError
from imprint.kinds import KIND, TARGET, label_of
from imprint.locations import locate
from imprint.manifest import Manifest
from imprint.reporting import labels
from imprint.reporting.kept import Kept
from imprint.reporting.local import final_loss, read_metrics
from imprint.reporting.samples import SampleEntry, read_samples
from imprint.reporting.scoreboard.costs import Cost, cost_of
from imprint.runs import Run

T = TypeVar("T")
Curve = list[tuple[int, float]]  # steps and values

KEPT = Kept(most=1000)
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


class RunRecord(NamedTuple):
    name: str
    folder: Path
    status: str  # absent, running, failed, finished or unreadable; a run that was killed still says running
    identifiers: tuple[str, ...]  # the words that name the subjects in this run's prompts
    settings: dict[str, str]  # dotted key -> value; a configured class is the value of its own key
    steps: int | None
    loss: float | None
    cost: Cost
    curve: Curve  # of the loss
    score_curves: dict[str, Curve]  # by profile/metric@fingerprint, where it was scored on the way
    samples: list[SampleEntry]
    references: list[Path]
    error: str
    scoring_error: str
    overrides: tuple[str, ...] = ()  # of a sweep's point: what was set for it


def find_runs(folders: Sequence[Path]) -> list[RunRecord]:
    """Every run in and below the folders, by name. Raises UserError when there is none."""
    manifests = {path.resolve() for folder in folders for path in folder.rglob("manifest.json")}
    if not manifests:
        named = ", ".join(map(str, folders))
        raise UserError(f"No run lies in {named}. Give the folder of a run, or one that holds runs.")
    return [read_run(Run(manifest.parent)) for manifest in sorted(manifests)]


def read_run(run: Run) -> RunRecord:
    """Takes a half-finished run as it is: what is not there, or cannot be read, is None or empty."""
    manifest = _readable(run.read, Manifest(status="unreadable"))
    config: dict[str, Any] = _readable(lambda: KEPT.of(run.config, _config), {})
    metrics: dict[str, list[float | None]] = _readable(lambda: read_metrics(run.metrics), {})
    steps = [int(step) for step in metrics.get("step", []) if step is not None]
    scores: dict[str, list[float | None]] = _readable(lambda: read_metrics(run.score_curve), {})
    return RunRecord(
        name=run.folder.name,
        folder=run.folder,
        status=manifest.status,
        identifiers=tuple(concept.identifier for concept in manifest.concepts),
        settings=dict(_flat(config)) if config else {},
        steps=steps[-1] if steps else (manifest.training.steps or None),
        loss=_readable(lambda: final_loss(run.metrics), None),
        cost=_readable(lambda: cost_of(run), Cost(None, None, None, None)),
        curve=_curve(metrics, "loss"),
        score_curves={name: _curve(scores, name) for name in scores if name != "step"},
        samples=_readable(lambda: read_samples(run), []),
        references=_references(config),
        error=_text(run.error),
        scoring_error=_text(run.scoring_error),
    )


def differing(records: Sequence[RunRecord]) -> list[str]:
    """The settings that tell the runs apart, in the order in which they are configured."""
    return labels.differing([record.settings for record in records])


def _config(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


def _readable(read: Callable[[], T], otherwise: T) -> T:
    """A page about many runs does not fail over one whose files vanish while they are read, or are broken."""
    try:
        return read()
    except (OSError, ValueError, TypeError, LookupError, yaml.YAMLError):
        return otherwise


def _curve(metrics: Mapping[str, Sequence[float | None]], name: str) -> Curve:
    pairs = zip(metrics.get("step", []), metrics.get(name, []), strict=False)
    return [(int(step), value) for step, value in pairs if step is not None and value is not None]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else ""


def _flat(value: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            if key in (KIND, TARGET):
                yield prefix, label_of({key: inner})
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
