"""From pictures to scores, whoever generated the pictures: each metric of a profile on each row, and their means.

A row is what is scored: the run's own model, or what it is compared with. `real` and `copies` are made of photos, in
the place of generated pictures: what a model would score that knows the subject perfectly.
"""

import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from imprint.errors import UserError
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.records import Evidence, Features, Photo, PictureRequest, Shot, Value
from imprint.evaluation.score_sheet import PictureCount, Row, Scored
from imprint.evaluation.statistics.nesting import Averaging
from imprint.hashing import file_hash
from imprint.process_folder import own_folder
from imprint.types import Concept

log = logging.getLogger(__name__)

Shots = Mapping[str, Sequence[Shot]]  # by prompt set


@dataclass(frozen=True, kw_only=True)
class EvaluationInputs:
    """All that the scores of one subject are computed from."""

    subject: str
    concept: Concept
    shots: Mapping[Row, Shots]  # of the rows that a model or another program generated, and of interpolated pictures
    asked: Mapping[Row, int]  # how many pictures these should have
    of_subject: Sequence[tuple[PictureRequest, str]]  # the subject's pictures that were asked for, and their prompts
    photos: Sequence[Photo]
    class_photos: Sequence[Photo]
    others: Sequence[Photo]
    prompts: Mapping[str, Sequence[tuple[str, str]]]  # by set and number: template, category


@dataclass(frozen=True, kw_only=True)
class Measured:
    rows: Mapping[str, Mapping[str, Scored]]
    pictures: Mapping[str, PictureCount]
    notes: Sequence[str]


def measure(inputs: EvaluationInputs, profile: Profile, features: Features) -> Measured:
    """Raises UserError if nothing could be measured of the run's own row."""
    rows: dict[Row, dict[str, Scored]] = {}
    notes: list[str] = []
    with tempfile.TemporaryDirectory(dir=own_folder()) as folder:
        # The untuned model's pictures may be there only for metrics that compare with them.
        shown = {row: shots for row, shots in inputs.shots.items() if row == "tuned" or row in profile.rows}
        if "real" in profile.rows and inputs.photos:
            shown["real"] = {SUBJECT: _photos_as_shots(inputs.photos, Path(folder))}
        if "copies" in profile.rows and any(photo.trained_on for photo in inputs.photos):
            shown["copies"] = {SUBJECT: _copies(inputs.of_subject, inputs.photos, Path(folder))}
        for row, shots in shown.items():
            rows[row], problems = _measure_row(row, shots, inputs, profile, features)
            notes += problems
    if not rows["tuned"]:
        raise UserError("\n".join(["Nothing could be measured.", *notes]))
    return Measured(
        rows={row: scores for row, scores in rows.items() if scores},
        pictures={row: _count(shots, inputs.asked.get(row)) for row, shots in shown.items()},
        notes=notes,
    )


def _measure_row(
    row: Row, shots: Shots, inputs: EvaluationInputs, profile: Profile, features: Features
) -> tuple[dict[str, Scored], list[str]]:
    """The scores by metric, and why metrics that apply to this row could not be measured."""
    evidence = Evidence(
        subject=inputs.subject,
        concept=inputs.concept,
        shots=_usable(shots),
        untuned=_usable(inputs.shots.get("untuned", {})),
        photos=inputs.photos,
        class_photos=inputs.class_photos,
        others=inputs.others,
        averaging=profile.averaging,
        features=features,
    )
    categories = {
        (name, number): category
        for name, prompts in inputs.prompts.items()
        for number, (_, category) in enumerate(prompts)
        if row != "real"  # photos answer no prompt
    }
    scores, problems = {}, []
    for name, metric in profile.metrics.items():
        if not profile.applies(metric, row) or not set(metric.needs.sets) <= set(shots):
            continue
        counted = profile.counted.get(name) if row != "real" else None
        try:
            values = metric.measure(_restricted(evidence, counted) if counted else evidence)
        except UserError as error:
            problems.append(f"{row}: {name} could not be measured: {error}")
            log.warning("%s", problems[-1])
            continue
        scores[name] = scored(values, profile.averaging, categories)
    return scores, problems


def scored(values: Sequence[Value], averaging: Averaging, categories: Mapping[tuple[str, int], str]) -> Scored:
    """`categories` is by (set, number) of a prompt. A metric that is only defined for the whole subject has one number
    and no categories."""
    assert values
    of_prompts = [value for value in values if value.number is not None]
    by_category: dict[str, list[Value]] = {}
    for value in of_prompts:
        assert value.number is not None
        if category := categories.get((value.set, value.number)):
            by_category.setdefault(category, []).append(value)
    return Scored(
        mean=_average(of_prompts or values, averaging),
        by_category={category: _average(members, averaging) for category, members in by_category.items()},
        values=list(values),
    )


def _average(values: Iterable[Value], averaging: Averaging) -> float:
    """macro: the mean of the prompts' means; pairs: of all numbers alike, which are those of pairs of a picture and a
    photo where a metric compares these."""
    prompts: dict[tuple[str, int | None], list[float]] = {}
    for value in values:
        prompts.setdefault((value.set, value.number), []).append(value.value)
    if averaging == "macro":
        return fmean(fmean(numbers) for numbers in prompts.values())
    return fmean(number for numbers in prompts.values() for number in numbers)


def _photos_as_shots(photos: Sequence[Photo], folder: Path) -> list[Shot]:
    """Every photo as a picture of one prompt, with the photo's content, so that none is compared with itself."""
    return [
        Shot(PictureRequest(SUBJECT, 0, "", "", k), "", 0, _saved(photo, folder), photo.content, "ok")
        for k, photo in enumerate(photos)
    ]


def _copies(requests: Sequence[tuple[PictureRequest, str]], photos: Sequence[Photo], folder: Path) -> list[Shot]:
    """Each picture that is asked for is one of the photos trained on, in turn, as of a model that only memorised them.

    Their contents are those of the new files, so that the comparison with their original counts.
    """
    files = [_saved(photo, folder) for photo in photos if photo.trained_on]
    contents = [file_hash(file) for file in files]
    return [
        Shot(request, prompt, 0, files[index % len(files)], contents[index % len(files)], "ok")
        for index, (request, prompt) in enumerate(requests)
    ]


def _saved(photo: Photo, folder: Path) -> Path:
    file = folder / f"{photo.content}.png"
    if not file.exists():
        photo.load().save(file, format="PNG")
    return file


def _usable(shots: Shots) -> dict[str, list[Shot]]:
    return {name: [shot for shot in members if shot.state == "ok"] for name, members in shots.items()}


def _restricted(evidence: Evidence, categories: Sequence[str]) -> Evidence:
    shots = {
        name: [shot for shot in members if shot.request.category in categories]
        for name, members in evidence.shots.items()
    }
    return replace(evidence, shots=shots)


def _count(shots: Shots, asked: int | None) -> PictureCount:
    states = [shot.state for members in shots.values() for shot in members]
    return PictureCount(
        asked=len(states) if asked is None else asked,
        drawn=states.count("ok"),
        failed=states.count("failed"),
        blank=states.count("blank"),
    )
