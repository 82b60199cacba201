"""Records of runs and of a sweep's points, read from their folders, for reports."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from imprint.claims import is_locked
from imprint.errors import UserError
from imprint.file_contents import read_yaml
from imprint.kinds import KIND, TARGET, label_of
from imprint.manifest import REMEDY, Manifest
from imprint.partial_files import files_named
from imprint.reporting import labels
from imprint.reporting.file_cache import FileCache
from imprint.reporting.metrics_file import final_loss, read_metrics
from imprint.reporting.photos import photos_of
from imprint.reporting.sample_index import SampleEntry, read_samples
from imprint.reporting.scoreboard.costs import Cost, cost_of
from imprint.runs import Run
from imprint.sweeps import Point

T = TypeVar("T")
Curve = list[tuple[int, float]]  # steps and values

CACHE = FileCache(most=1000)
COMMAND_WORDS = {"true": "True", "false": "False", "null": "None"}  # as they are written in a configuration


class RunRecord(NamedTuple):
    name: str
    folder: Path
    status: str  # absent, running, stopped, failed, finished or unreadable
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

    @property
    def score_files(self) -> list[Path]:
        return sorted(file for file in (self.folder / "scores").glob("*.json") if not file.name.startswith("."))

    @property
    def is_to_be_scored(self) -> bool:
        """Whether its configuration has an evaluation."""
        return any(key.startswith("evaluation.") for key in self.settings)

    @property
    def status_word(self) -> str:
        return "waiting" if self.status == "absent" else self.status


def find_runs(folders: Sequence[Path]) -> list[RunRecord]:
    """Every run in and below the folders, by name. Raises UserError when there is none."""
    manifests = {path.resolve() for folder in folders for path in files_named("manifest.json", folder)}
    if not manifests:
        named = ", ".join(map(str, folders))
        raise UserError(f"No run lies in {named}. Give the folder of a run, or one that holds runs.")
    return [read_run(Run(manifest.parent)) for manifest in sorted(manifests)]


def read_run(run: Run) -> RunRecord:
    """Accepts a half-finished run: what is missing, or cannot be read, is None or empty."""
    manifest = _readable(run.read, Manifest(status="unreadable"))
    config: dict[str, Any] = _readable(lambda: CACHE.of(run.config, _config), {})
    metrics: dict[str, list[float | None]] = _readable(lambda: read_metrics(run.metrics), {})
    steps = [int(step) for step in metrics.get("step", []) if step is not None]
    scores: dict[str, list[float | None]] = _readable(lambda: read_metrics(run.score_curve), {})
    return RunRecord(
        name=run.folder.name,
        folder=run.folder,
        status=_status(run, manifest),
        identifiers=tuple(concept.identifier for concept in manifest.concepts),
        settings=_settings(config, manifest.config.tree()),
        steps=steps[-1] if steps else (manifest.training.steps or None),
        loss=_readable(lambda: final_loss(run.metrics), None),
        cost=_readable(lambda: cost_of(run), {}),
        curve=_curve(metrics, "loss"),
        score_curves={name: _curve(scores, name) for name in scores if name != "step"},
        samples=_readable(lambda: read_samples(run), []),
        references=_readable(lambda: photos_of(manifest), []),
        error=_text(run.error),
        scoring_error=_text(run.scoring_error),
    )


def differing(records: Sequence[RunRecord]) -> list[str]:
    """The settings in which the runs differ, in the order of the configuration."""
    return labels.differing([record.settings for record in records])


def _status(run: Run, manifest: Manifest) -> str:
    """A run that was killed has the manifest of one that is being trained, but nobody holds its lock."""
    if manifest.status != "running" or _readable(lambda: is_locked(run.lock), True):
        return manifest.status
    now = _readable(run.read, manifest).status  # it may have ended since
    return "stopped" if now == "running" else now


def _config(file: Path) -> dict[str, Any]:
    content = read_yaml(file, REMEDY)
    return content if isinstance(content, dict) else {}


def _readable(read: Callable[[], T], otherwise: T) -> T:
    """So that a report on many runs does not fail because files of one vanish while they are read, or are damaged."""
    try:
        return read()
    except (OSError, ValueError, TypeError, LookupError):
        return otherwise


def _curve(metrics: Mapping[str, Sequence[float | None]], name: str) -> Curve:
    pairs = zip(metrics.get("step", []), metrics.get(name, []), strict=False)
    return [(int(step), value) for step, value in pairs if step is not None and value is not None]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else ""


def _settings(config: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, str]:
    """Dotted keys. A part is named by its kind, which the manifest has recorded; a subject that nobody has named, by
    where its pictures are."""
    if not config:
        return {}
    settings = dict(_flat(config, recorded))
    if settings.get("dataset.subject") == "auto":
        known = (settings.get(f"dataset.{key}", "").rstrip("/\\") for key in ("name", "path", "id"))
        settings["dataset.subject"] = re.split(r"[/\\]", next(filter(None, known), "auto"))[-1]
    return settings


def _flat(value: Any, recorded: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        beside = recorded if isinstance(recorded, Mapping) else {}
        for key, inner in value.items():
            if key in (KIND, TARGET):
                yield prefix, label_of({KIND: beside[KIND]} if KIND in beside else {key: inner})
            else:
                yield from _flat(inner, beside.get(key), f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, str(value)


def axes(points: Sequence[Point]) -> list[str]:
    """The keys that are set differently, in the order in which they are set."""
    every = [given(point.overrides) for point in points]
    keys = dict.fromkeys(key for own in every for key in own)
    return [key for key in keys if len({own.get(key) for own in every}) > 1]


def records_of(points: Sequence[Point]) -> list[RunRecord]:
    """One for each point, in their order. A choice on an axis is named by the word that was given for it.

    Settings of a run that has not begun are those that all others have in common, and its own on the axes.
    """
    records = [read_run(point.run)._replace(overrides=point.overrides) for point in points]
    begun = [record.settings for record in records if record.settings]
    common = _common(begun)
    keys = axes(points)
    parts = {key for key in keys if any(_is_part(key, settings) for settings in begun)}
    return [
        _with_given(record, record.settings, parts) if record.settings else _with_given(record, common, keys)
        for record in records
    ]


def _with_given(record: RunRecord, settings: Mapping[str, str], keys: Collection[str]) -> RunRecord:
    """With these settings, of which those in `keys` are as they were given."""
    own = {key: value for key, value in given(record.overrides).items() if key in keys}
    return record._replace(settings={**settings, **own})


def given(overrides: Sequence[str]) -> dict[str, str]:
    """What overrides set, by key."""
    pairs = (override.lstrip("+~").partition("=") for override in overrides)
    return {key: _value(text) for key, _, text in pairs}


def _value(text: str) -> str:
    """As it is written in a configuration: 1e-4 is 0.0001."""
    text = text.strip().strip("'\"")
    for number in (int, float):
        try:
            return str(number(text))
        except ValueError:
            continue
    return COMMAND_WORDS.get(text, text)


def _common(settings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first = settings[0] if settings else {}
    return {key: value for key, value in first.items() if all(own.get(key) == value for own in settings)}


def _is_part(key: str, settings: Mapping[str, str]) -> bool:
    """Whether a word is chosen for it (`method=lora`), which stands for a class and its settings, or for several."""
    return key not in settings or any(other.startswith(f"{key}.") for other in settings)
