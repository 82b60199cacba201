"""A run's scores and some of the scored pictures, in the W&B run of its training."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.pictures.store import INDEX, read_index
from imprint.reporting.contact_sheets import spread
from imprint.reporting.run_scores import SHORT_FINGERPRINT, departures
from imprint.reporting.tracking.naming import display_name, grouped, plain_scores
from imprint.reporting.tracking.session import WandbSession, WandbSettings, settings_of, settings_written, tags_of
from imprint.runs import Run

if TYPE_CHECKING:
    import wandb

MOST = 24  # pictures of a subject; the others are in the run's folder alone
PICTURE_KEYS = {"file", "prompt", "seed", "state", "set", "number", "k"}  # of a picture


class LoggedPicture(NamedTuple):
    subject: str
    prompt: str
    seed: int
    file: Path
    scores: Mapping[str, float]  # by the metric's title


def log_scores(run: Run, files: Sequence[Path], settings: WandbSettings | None = None) -> None:
    """Logs the score sheets in `files` to W&B: the numbers, where they come from, and some of the pictures.

    Without `settings`, those of the run's training hold. What was logged before, in the same mode to the same project,
    is not repeated. Failures of W&B raise nothing. The W&B run is of the job `train`, if the training was tracked, else
    `evaluate`.
    """
    using = settings or settings_of(run)
    if using is None or using.mode == "off":
        return
    manifest = run.read()
    tracked = manifest.scores_tracked
    sheets = {file: ScoreSheet.read(file) for file in files}
    hashes = {file: _hash(sheet, using) for file, sheet in sheets.items()}
    new = {file: sheet for file, sheet in sheets.items() if tracked.get(file.stem) != hashes[file]}
    if not new:
        return
    config = manifest.config.tree()
    trained = settings_written(run)
    group = using.group or (trained.get("group") if trained else None)
    session = WandbSession(
        using._replace(group=group),
        run.folder,
        id=run.signature,
        name=display_name(run, manifest.name or run.folder.name),
        job="train" if trained else "evaluate",
        tags=tags_of(config),
        config=grouped(config),
    )
    step = manifest.training.steps
    for profile in dict.fromkeys(sheet.profile for sheet in new.values()):
        of_profile = {file: sheet for file, sheet in new.items() if sheet.profile == profile}
        session.log(partial(_row, run, of_profile, step))
    session.finish()
    _note(run, {file.stem: hashes[file] for file in new})


def score_name(sheet: ScoreSheet, metric: str) -> str:
    """Scores at another strength or in another base than the run's have names of their own."""
    name = score_key(sheet.profile, metric, sheet.metrics[metric].fingerprint)
    return ", ".join([name, *departures(sheet)])


def score_key(profile: str, metric: str, fingerprint: str) -> str:
    """As in a score curve: numbers with different fingerprints have different names."""
    return f"{profile}/{metric}@{fingerprint[:SHORT_FINGERPRINT]}"


def _row(run: Run, found: Mapping[Path, ScoreSheet], step: int) -> dict[str, Any]:
    """Of the sheets of one profile: the means over subjects, a table of all means, and one of pictures."""
    sheets = list(found.values())
    profile = sheets[0].profile
    pictures = [picture for file, sheet in found.items() for picture in scored_pictures(run, file, sheet)]
    values: dict[str, list[float]] = {}
    for sheet in sheets:
        for metric, scored in sheet.rows["tuned"].items():
            values.setdefault(score_name(sheet, metric), []).append(scored.mean)
    scores = {name: fmean(means) for name, means in values.items()}
    row: dict[str, Any] = {"step": step, **scores, **plain_scores(scores)}
    row[f"{profile}/breakdown"] = _breakdown(sheets)
    if pictures:
        row[f"{profile}/pictures"] = _pictures(pictures)
    return row


def _breakdown(sheets: Sequence[ScoreSheet]) -> "wandb.Table":
    import wandb

    table = wandb.Table(columns=["subject", "row", "metric", "better", "fingerprint", "category", "mean", "values"])
    for sheet in sheets:
        for row, metrics in sheet.rows.items():
            for name, scored in metrics.items():
                facts = sheet.metrics[name]
                place = (sheet.subject, row, facts.title, facts.better, facts.fingerprint)
                table.add_data(*place, "all", scored.mean, len(scored.values))
                for category, mean in scored.by_category.items():
                    table.add_data(*place, category, mean, None)
    return table


def _pictures(pictures: Sequence[LoggedPicture]) -> "wandb.Table":
    import wandb

    titles = list(dict.fromkeys(title for picture in pictures for title in picture.scores))
    data = [
        [one.subject, one.prompt, str(one.seed), wandb.Image(str(one.file)), *map(one.scores.get, titles)]
        for one in pictures
    ]
    return wandb.Table(columns=["subject", "prompt", "seed", "picture", *titles], data=data)


def _note(run: Run, hashes: Mapping[str, str]) -> None:
    with FileLock(run.folder / "scores" / ".lock"):
        run.note({"scores_tracked": {**run.read().scores_tracked, **hashes}})


def _hash(sheet: ScoreSheet, settings: WandbSettings) -> str:
    """Of the numbers, their fingerprints, and where they are logged; not of how long it took."""
    rows = {
        row: {score_name(sheet, name): scored.values for name, scored in scores.items()}
        for row, scores in sheet.rows.items()
    }
    where = (settings.mode, settings.entity, settings.project)
    return hashlib.sha256(json.dumps([where, rows], sort_keys=True).encode()).hexdigest()[:12]


def scored_pictures(run: Run, sheet_file: Path, sheet: ScoreSheet) -> list[LoggedPicture]:
    """The first picture of each prompt; of many, evenly spread ones. None without a folder in the manifest."""
    note = run.read().scores.get(sheet_file.stem)
    folders = note.pictures if note else []
    found = [picture for folder in folders for picture in _of_gallery(run.folder / folder, sheet)]
    return spread(found, MOST)


def _of_gallery(folder: Path, sheet: ScoreSheet) -> Iterator[LoggedPicture]:
    try:
        _, entries = read_index(folder / INDEX)
    except (OSError, ValueError):
        return
    for entry in sorted(
        (entry for entry in entries if entry.keys() >= PICTURE_KEYS), key=lambda entry: str(entry["file"])
    ):
        file = folder / entry["file"]
        if entry["k"] == 0 and entry["state"] == "ok" and file.is_file():
            scores = _scores(sheet, entry["set"], entry["number"])
            if scores:
                yield LoggedPicture(sheet.subject, entry["prompt"], entry["seed"], file, scores)


def _scores(sheet: ScoreSheet, name: str, number: int) -> dict[str, float]:
    """Of the first picture of a prompt, by metrics that score each picture."""
    found = {
        sheet.metrics[metric].title: [v.value for v in scored.values if (v.set, v.number, v.k) == (name, number, 0)]
        for metric, scored in sheet.rows["tuned"].items()
    }
    return {title: fmean(numbers) for title, numbers in found.items() if numbers}  # several: one for each photo
