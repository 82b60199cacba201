"""The strip at the top of a page: the subject, the untuned model and the contestants, by one prompt and one noise."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.side_by_side import Gallery, Row
from imprint.reporting.units import score

PHOTO = "photo"
MOST = 8  # contestants; the pictures of more are further down


class Cell(NamedTuple):
    label: str
    file: Path | None
    scores: Sequence[str]
    run: str = ""  # its name; empty: no run's


class Strip(NamedTuple):
    prompt: str
    about: str
    cells: Sequence[Cell]
    left_out: int  # contestants


def scores_beside(
    gallery: Gallery, records: Sequence[RunRecord], scores: RunScores, columns: Sequence[ScoreColumn]
) -> dict[str, list[str]]:
    """The numbers of these columns: of each run by its name, of the untuned model by none, of photos as `photo`."""
    runs = {record.name: record for record in records}
    own = [runs[column.run] for column in gallery.columns if column.run in runs]
    told = {record.name: _scored(record, scores, columns) for record in own}
    told |= {"": _referring("untuned", own, scores, columns), PHOTO: _referring("real", own, scores, columns)}
    return told


def strip(
    galleries: Sequence[Gallery], records: Sequence[RunRecord], scores: RunScores, columns: Sequence[ScoreColumn]
) -> Strip | None:
    """Of the first pictures on the page. None where nothing was drawn. `columns` are whose numbers stand below them."""
    gallery = next((each for each in galleries if each.rows), None)
    if gallery is None:
        return None
    row = max(gallery.rows, key=_drawn)  # the first of those with the fewest gaps
    told = scores_beside(gallery, records, scores, columns)
    cells = [Cell(PHOTO, file, told[PHOTO]) for file in gallery.references[:1]]
    last = {each.column.run: each.step for each in row.pictures}  # the scores are of no earlier one
    for each in row.pictures:
        run = each.column.run
        cells.append(Cell(each.label, each.file, told[run] if each.step == last[run] else [], run))
    kept = [cell for cell in cells if not cell.run] + [cell for cell in cells if cell.run][:MOST]
    return Strip(row.prompt, f"{row.prompt}, {gallery.counted} {row.seed}", kept, len(cells) - len(kept))


def _drawn(row: Row) -> int:
    return sum(picture.file is not None for picture in row.pictures)


def _scored(record: RunRecord, scores: RunScores, columns: Sequence[ScoreColumn]) -> list[str]:
    means = [(column, scores.mean(record, column)) for column in columns]
    return _told((column, mean) for column, mean in means if mean is not None)


def _referring(row: str, records: Sequence[RunRecord], scores: RunScores, columns: Sequence[ScoreColumn]) -> list[str]:
    """What the untuned model, or real photos, scored in the evaluation of these runs."""
    sheets = [sheet for record in records for sheet in scores.sheets[record.folder]]
    found = []
    for column in columns:
        own = [sheet.rows[row] for sheet in sheets if column.of(sheet) and row in sheet.rows]
        if means := [metrics[column.name].mean for metrics in own if column.name in metrics]:
            found.append((column, fmean(means)))
    return _told(found)


def _told(found: Iterable[tuple[ScoreColumn, float]]) -> list[str]:
    return [f"{column.title} {score(mean)}" for column, mean in found]
