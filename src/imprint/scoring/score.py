"""A run's scores under a profile: draws what is missing, measures, and writes a sheet for each subject."""

import logging
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean
from typing import Any

from filelock import FileLock

from imprint.errors import UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.records import Photo
from imprint.evaluation.sheet import Row, ScoreSheet
from imprint.files import write_text
from imprint.libraries.lightning import process_rank
from imprint.planning.parts import Plan
from imprint.runs import Run
from imprint.scoring.galleries import Galleries, asked_of, draw_missing, galleries, shots
from imprint.scoring.measuring import EvaluationInputs, keep, measure
from imprint.scoring.sheets import meaning, sheet_of
from imprint.scoring.subject import EvaluationSubject, open_subjects
from imprint.training.trainer import process_device

log = logging.getLogger(__name__)


def score_run(
    run: Run,
    profile: Profile,
    *,
    accelerator: str = "auto",
    encoders: Mapping[str, Encoder] | None = None,
    class_photos: Sequence[Photo] = (),
    scale: Mapping[str, float] | None = None,
    base: str | None = None,
) -> list[Path]:
    """The sheets' files, one for each subject, in their order: `run.folder/scores/<profile>-<fingerprint>.json`, with
    the subject's name before the fingerprint where there are several. What is there already is not drawn again.

    `encoders` take the place of the model's and the profile's, by role; `scale` is the strength of what was trained,
    by part of the model; with `base` the result is put into the model there, which the floors are of, too. Of several
    processes that do this together, only the first measures; the others return none.
    Raises UserError, before anything is drawn, with everything that stands in the way.
    """
    device = process_device(accelerator)
    subjects = open_subjects(
        run, profile, encoders=encoders or {}, class_photos=class_photos, scale=scale or {}, device=device, base=base
    )
    shown = [(judged, galleries(judged, profile)) for judged in subjects]
    began = time.monotonic()
    draw_missing(shown, profile, device)
    if process_rank() != 0:
        return []
    drawing = (time.monotonic() - began) / len(shown)
    return [_measured(judged, found, profile, drawing) for judged, found in shown]


def scored(
    run: Run, profile: Profile, *, accelerator: str = "auto", encoders: Mapping[str, Encoder] | None = None
) -> list[Path]:
    """The sheets that `score_run` would write for a finished run, if they are there and nothing is left to be drawn;
    else none."""
    device = process_device(accelerator)
    subjects = open_subjects(run, profile, encoders=encoders or {}, class_photos=(), scale={}, device=device)
    files = sorted((run.folder / "scores").glob(f"{profile.name}-*.json"))
    sheets = {file: ScoreSheet.read(file) for file in files}
    found = [_kept(judged, profile, sheets) for judged in subjects]
    return [file for file in found if file] if all(found) else []


def sheets_of(plan: Plan) -> list[Path]:
    """The scores of a finished run by its own evaluation, as `scored` finds them; none where it has no evaluation."""
    parts = plan.parts
    if parts.evaluation is None:
        return []
    return scored(plan.run, parts.evaluation, accelerator=parts.trainer.accelerator, encoders=parts.model.encoders)


def means_of(run: Run, profile: str | None) -> dict[str, float]:
    """By metric, over the run's subjects: its latest scores under the profile; empty before it is scored."""
    latest = {note.subject: note.means for note in run.read().scores.values() if note.profile == profile}
    metrics = dict.fromkeys(name for means in latest.values() for name in means)
    return {name: fmean(means[name] for means in latest.values() if name in means) for name in metrics}


def objective_of(plan: Plan) -> float | list[float] | None:
    """What a search is told of the run: one number, or one for each objective; None where one is not measured."""
    profile, names = plan.parts.evaluation, plan.parts.sweep.objectives
    means = means_of(plan.run, profile.name if profile else None)
    if not names or any(name not in means for name in names):
        return None
    values = [means[name] for name in names]
    return values[0] if len(values) == 1 else values


@contextmanager
def scoring_noted(run: Run) -> Iterator[None]:
    """Why a finished run cannot be scored is kept in its folder, until it can."""
    try:
        yield
    except Exception as error:
        with suppress(UserError):  # a full disk is why it failed, perhaps
            write_text(run.scoring_error, str(error) if isinstance(error, UserError) else traceback.format_exc())
        raise
    run.scoring_error.unlink(missing_ok=True)


def evaluation_inputs(judged: EvaluationSubject, profile: Profile, found: Galleries) -> EvaluationInputs:
    drawn: dict[Row, Mapping[str, Any]] = {
        row: {name: shots(gallery) for name, gallery in sets.items()} for row, sets in found.items()
    }
    asked: dict[Row, int] = {row: sum(len(gallery.recipes) for gallery in sets.values()) for row, sets in found.items()}
    of_subject = found["tuned"].get(SUBJECT)
    return EvaluationInputs(
        subject=judged.subject,
        concept=judged.concept,
        drawn=drawn,
        asked=asked,
        to_copy=[(asked_of(recipe), recipe.prompt) for recipe in of_subject.recipes] if of_subject else [],
        photos=judged.photos,
        class_photos=judged.class_photos,
        prompts=profile.templates(judged.kind),
    )


def _measured(judged: EvaluationSubject, found: Galleries, profile: Profile, drawing: float) -> Path:
    began = time.monotonic()
    measured = measure(evaluation_inputs(judged, profile, found), profile, judged.features)
    seconds = {"drawing": drawing, "measuring": time.monotonic() - began}
    sheet = sheet_of(judged, profile, measured, seconds)
    file = keep(sheet, judged.run.folder / "scores", name=judged.name)
    _note(judged.run, sheet, file, found)
    return file


def _kept(judged: EvaluationSubject, profile: Profile, sheets: Mapping[Path, ScoreSheet]) -> Path | None:
    """The sheet of this subject among these, if it is whole."""
    sampling, metrics = meaning(judged, profile)
    fingerprints = {name: facts.fingerprint for name, facts in metrics.items()}
    for file, sheet in sheets.items():
        alike = (sheet.subject, sheet.sampling) == (judged.subject, sampling)
        whole = not any(count.failed for count in sheet.pictures.values())
        same = {name: facts.fingerprint for name, facts in sheet.metrics.items()} == fingerprints
        if alike and whole and same and set(sheet.pictures) == {"tuned", *profile.rows}:
            return file
    return None


def _note(run: Run, sheet: ScoreSheet, file: Path, found: Galleries) -> None:
    """In the manifest, beside what other evaluations have noted, even at the same moment."""
    means = {row: {name: scored.mean for name, scored in scores.items()} for row, scores in sheet.rows.items()}
    told = {
        "profile": sheet.profile,
        "subject": sheet.subject,
        "file": file.relative_to(run.folder).as_posix(),
        "means": means["tuned"],
        "pictures": [gallery.folder.relative_to(run.folder).as_posix() for gallery in found["tuned"].values()],
        "seconds": sum(sheet.seconds.values()),
    }
    with FileLock(run.folder / "scores" / ".lock"):
        before = {name: note.model_dump(exclude_unset=True) for name, note in run.read().scores.items()}
        run.note({"scores": {**before, file.stem: told}})
