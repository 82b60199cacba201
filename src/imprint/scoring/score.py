"""Scores a run under a profile: generates missing pictures, measures them, and writes a score sheet for each subject.

And finds the scores of a run that are there already.
"""

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean

from filelock import FileLock

from imprint.errors import UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.measuring import measure
from imprint.evaluation.profile import Profile
from imprint.evaluation.records import Photo
from imprint.evaluation.score_sheet import MetricFacts, ScoreSheet
from imprint.files import write_text
from imprint.libraries.lightning import process_rank
from imprint.partial_files import remove_abandoned
from imprint.planning.parts import Plan
from imprint.reporting.model_card import update_scores
from imprint.reporting.upscaling_sheet import FOLDER as UPSCALING
from imprint.reporting.upscaling_sheet import pairs_file
from imprint.runs import Run
from imprint.scoring.galleries import Galleries, complete_galleries, galleries_of
from imprint.scoring.pairs import write_pairs
from imprint.scoring.score_sheets import meaning, sheet_of, write_sheet
from imprint.scoring.subject import EvaluationSubject, open_subjects
from imprint.training.trainer import process_device


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
    """The score sheets' files, one for each subject, in their order: `run.folder/scores/<profile>-<fingerprint>.json`,
    with the subject's name before the fingerprint where there are several. Pictures that are there are not generated
    again.

    `encoders` take the place of the model's and the profile's, by role; `scale` is the strength of what was trained,
    by part of the model; with `base` the result is put into the model there, which is then the untuned one, too. Of
    several processes that do this together, only the first measures; the others return none.
    Raises UserError, before any picture is generated, with everything that stands in the way.
    """
    remove_abandoned(run.folder)
    device = process_device(accelerator)
    subjects = open_subjects(
        run, profile, encoders=encoders or {}, class_photos=class_photos, scale=scale or {}, device=device, base=base
    )
    of_subjects = [galleries_of(subject, profile) for subject in subjects]
    began = time.monotonic()
    complete_galleries(of_subjects, device)
    if process_rank() != 0:
        return []
    seconds = (time.monotonic() - began) / len(of_subjects)
    return [_score(galleries, seconds) for galleries in of_subjects]


def finished_scores(
    run: Run, profile: Profile, *, accelerator: str = "auto", encoders: Mapping[str, Encoder] | None = None
) -> list[Path]:
    """The score sheets that `score_run` would write for a finished run, if all are there and complete; else none."""
    device = process_device(accelerator)
    subjects = open_subjects(run, profile, encoders=encoders or {}, class_photos=(), scale={}, device=device)
    noted = run.read().scores  # which is the last thing that scoring does
    files = [file for file in sorted((run.folder / "scores").glob(f"{profile.name}-*.json")) if file.stem in noted]
    sheets = {file: ScoreSheet.read(file) for file in files}
    found = [_finished_sheet(subject, profile, sheets) for subject in subjects]
    return [file for file in found if file] if all(found) else []


def sheets_of(plan: Plan) -> list[Path]:
    """The finished scores of a run by its own evaluation; none where it has no evaluation."""
    parts = plan.parts
    if parts.evaluation is None:
        return []
    return finished_scores(
        plan.run, parts.evaluation, accelerator=parts.trainer.accelerator, encoders=parts.model.encoders
    )


def means_of(run: Run, profile: str | None) -> dict[str, float]:
    """By metric, over the run's subjects: its latest scores under the profile; empty before it is scored."""
    latest = {note.subject: note.means for note in run.read().scores.values() if note.profile == profile}
    metrics = dict.fromkeys(name for means in latest.values() for name in means)
    return {name: fmean(means[name] for means in latest.values() if name in means) for name in metrics}


def objective_of(plan: Plan) -> float | list[float] | None:
    """The values that a search optimises: one number, or one for each objective; None where one is not measured."""
    profile, names = plan.parts.evaluation, plan.parts.sweep.objectives
    means = means_of(plan.run, profile.name if profile else None)
    if not names or any(name not in means for name in names):
        return None
    values = [means[name] for name in names]
    return values[0] if len(values) == 1 else values


@contextmanager
def scoring_noted(run: Run) -> Iterator[None]:
    """Keeps the reason why a finished run could not be scored in its folder, until it is scored."""
    try:
        yield
    except Exception as error:
        with suppress(UserError):  # the disk may be full, which may be why it failed
            write_text(run.scoring_error, str(error) if isinstance(error, UserError) else traceback.format_exc())
        raise
    run.scoring_error.unlink(missing_ok=True)


def _score(galleries: Galleries, generating: float) -> Path:
    """`generating`: the seconds that this took."""
    began = time.monotonic()
    subject, profile, rows = galleries
    measured = measure(galleries.inputs(), profile, subject.features)
    seconds = {"drawing": generating, "measuring": time.monotonic() - began}
    sheet = sheet_of(subject, profile, measured, seconds)
    file = write_sheet(sheet, subject.run.folder / "scores", name=subject.name)
    if profile.compares_pairs:
        write_pairs(subject, galleries.shots(), subject.run.folder / UPSCALING / pairs_file(subject.name))
    _note(subject.run, sheet, file, [gallery.folder for gallery in rows["tuned"].values()])
    return file


def _finished_sheet(subject: EvaluationSubject, profile: Profile, sheets: Mapping[Path, ScoreSheet]) -> Path | None:
    """The subject's own among these, if no picture of it failed and its numbers mean what they would mean now."""
    sampling, metrics = meaning(subject, profile)
    for file, sheet in sheets.items():
        if (
            (sheet.subject, sheet.sampling) == (subject.label, sampling)
            and not any(count.failed for count in sheet.pictures.values())
            and _fingerprints(sheet.metrics) == _fingerprints(metrics)
            and set(sheet.pictures) == {"tuned", *profile.rows}
        ):
            return file
    return None


def _fingerprints(metrics: Mapping[str, MetricFacts]) -> dict[str, str]:
    return {name: facts.fingerprint for name, facts in metrics.items()}


def _note(run: Run, sheet: ScoreSheet, file: Path, galleries: Sequence[Path]) -> None:
    """Adds an entry to the manifest, where other processes may do the same at the same moment."""
    entry = {
        "profile": sheet.profile,
        "subject": sheet.subject,
        "file": file.relative_to(run.folder).as_posix(),
        "means": {name: scored.mean for name, scored in sheet.rows["tuned"].items()},
        "pictures": [folder.relative_to(run.folder).as_posix() for folder in galleries],
        "seconds": sum(sheet.seconds.values()),
    }
    with FileLock(run.folder / "scores" / ".lock"):
        before = {name: note.model_dump(exclude_unset=True) for name, note in run.read().scores.items()}
        run.note({"scores": {**before, file.stem: entry}})
        update_scores(run)
