"""What single pictures scored: those that an evaluation drew, by the index beside them and the run's score sheets."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.pictures.store import INDEX, read_index
from imprint.reporting.file_cache import FileCache
from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores, departures
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.units import score

CACHE = FileCache(most=1000)
ALSO_SCORED = ("scale", "base")  # what an index says where another strength or base was scored than the run's

Asked = tuple[str, int, int, str]  # set, number of the prompt in it, which of its pictures, the prompt's template


def picture_scores(
    records: Sequence[RunRecord], scores: RunScores, columns: Sequence[ScoreColumn], *, shown: Collection[Path]
) -> dict[Path, list[str]]:
    """Of the files that are shown: `DINO 0.612`, `CLIP-T 0.287`. Those without numbers of their own are left out."""
    found: dict[Path, list[str]] = {}
    for record in records:
        for index in sorted((record.folder / "pictures").glob(f"*/{INDEX}")):
            try:
                common, pictures = CACHE.of(index, _listed)
            except (OSError, ValueError, TypeError, LookupError):
                continue
            sheets = [sheet for sheet in scores.sheets[record.folder] if _scored(sheet, common)]
            for asked, file in pictures.items():
                if file not in shown:
                    continue
                own = [told for column in columns if (told := _told(asked, column, sheets))]
                if own:
                    found[file] = own
    return found


def _listed(index: Path) -> tuple[dict[str, Any], dict[Asked, Path]]:
    common, listed = read_index(index)
    pictures = {
        (each["set"], each["number"], each["k"], each["template"]): index.parent / each["file"]
        for each in listed
        if each.get("state") != "failed" and {"set", "number", "k", "template"} <= each.keys()
    }
    return common, pictures


def _scored(sheet: ScoreSheet, common: Mapping[str, Any]) -> bool:
    """Whether the sheet's numbers are of the pictures of an index that says this of all: drawn in the same way."""
    is_as_trained = not any(key in common for key in ALSO_SCORED) and not departures(sheet)
    drawn_alike = all(common[key] == value for key, value in sheet.drawing.items() if key in common)
    return is_as_trained and bool(sheet.drawing) and drawn_alike and common.get("subject") == sheet.subject


def _told(asked: Asked, column: ScoreColumn, sheets: Sequence[ScoreSheet]) -> str:
    values = [value for sheet in sheets if column.of(sheet) for value in _values(asked, column, sheet)]
    return f"{column.title} {score(fmean(values))}" if values else ""


def _values(asked: Asked, column: ScoreColumn, sheet: ScoreSheet) -> Iterator[float]:
    """One; of a profile that averages pairs, one with each photo."""
    name, number, k, template = asked
    prompts = sheet.prompts.get(name, ())
    if number >= len(prompts) or prompts[number][0] != template:
        return
    scored = sheet.rows["tuned"].get(column.name)
    for value in scored.values if scored else ():
        if (value.set, value.number, value.k) == (name, number, k):
            yield value.value
