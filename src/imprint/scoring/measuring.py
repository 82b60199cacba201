"""From pictures to scores, whoever drew them."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imprint.errors import UserError
from imprint.evaluation.fingerprints import sheet_fingerprint
from imprint.evaluation.judging import Bench, Shots, judge
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.records import Asked, Features, Photo
from imprint.evaluation.sheet import PictureCount, Row, Scored, ScoreSheet
from imprint.evaluation.spreadsheet import write_csv
from imprint.evaluation.standins import copies, real
from imprint.types import Concept


@dataclass(frozen=True, kw_only=True)
class EvaluationInputs:
    """All that is judged of one subject. `to_copy` are the pictures of it that were asked for, drawn or not."""

    subject: str
    concept: Concept
    drawn: Mapping[Row, Shots]
    asked: Mapping[Row, int]
    to_copy: Sequence[tuple[Asked, str]]  # with the prompts
    photos: Sequence[Photo]
    class_photos: Sequence[Photo]
    prompts: Mapping[str, Sequence[tuple[str, str]]]  # by set and number: template, category


@dataclass(frozen=True, kw_only=True)
class Measured:
    rows: Mapping[str, Mapping[str, Scored]]
    pictures: Mapping[str, PictureCount]
    notes: Sequence[str]


def measure(exhibits: EvaluationInputs, profile: Profile, features: Features) -> Measured:
    """Raises UserError if nothing at all could be measured of what was drawn."""
    bench = Bench(
        profile=profile,
        subject=exhibits.subject,
        concept=exhibits.concept,
        untuned=exhibits.drawn.get("untuned", {}),
        photos=exhibits.photos,
        class_photos=exhibits.class_photos,
        features=features,
        categories={
            (name, number): category
            for name, prompts in exhibits.prompts.items()
            for number, (_, category) in enumerate(prompts)
        },
    )
    rows, notes = {}, []
    with tempfile.TemporaryDirectory() as folder:
        shown: dict[Row, Shots] = {row: shots for row, shots in exhibits.drawn.items() if _is_row(row, profile)}
        if "real" in profile.rows and exhibits.photos:
            shown["real"] = {SUBJECT: real(exhibits.photos, Path(folder), SUBJECT)}
        if "copies" in profile.rows and any(photo.trained_on for photo in exhibits.photos):
            shown["copies"] = {SUBJECT: copies(exhibits.to_copy, exhibits.photos, Path(folder))}
        for row, shots in shown.items():
            rows[row], told = judge(bench, row, shots)
            notes += told
    if not rows["tuned"]:
        raise UserError("\n".join(["Nothing could be measured.", *notes]))
    return Measured(
        rows={row: scores for row, scores in rows.items() if scores},
        pictures={row: _count(shots, exhibits.asked.get(row)) for row, shots in shown.items()},
        notes=notes,
    )


def keep(sheet: ScoreSheet, folder: Path, *, name: str = "") -> Path:
    """Writes the sheet, and its numbers for spreadsheets. Returns the sheet's file. `name` tells apart the sheets of
    subjects in one folder."""
    fingerprint = sheet_fingerprint(sheet.sampling, sheet.metrics, list(sheet.rows))
    file = folder / f"{'-'.join(filter(None, (sheet.profile, name, fingerprint)))}.json"
    sheet.write(file)
    write_csv(sheet, file.with_suffix(".csv"))
    return file


def _is_row(row: Row, profile: Profile) -> bool:
    """The untuned model's pictures may be there only for what others are compared with."""
    return row == "tuned" or row in profile.rows


def _count(shots: Shots, asked: int | None) -> PictureCount:
    states = [shot.state for members in shots.values() for shot in members]
    return PictureCount(
        asked=len(states) if asked is None else asked,
        drawn=states.count("ok"),
        failed=states.count("failed"),
        blank=states.count("blank"),
    )
