"""Some of the pictures that a sheet's numbers are of."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from imprint.evaluation.sheet import ScoreSheet
from imprint.pictures.store import INDEX, read_index
from imprint.reporting.sheet import spread
from imprint.runs import Run

MOST = 24  # pictures of a subject: enough to see what was judged; the others lie in the run's folder


class LoggedPicture(NamedTuple):
    subject: str
    prompt: str
    seed: int
    file: Path
    scores: Mapping[str, float]  # by the metric's title


def judged_pictures(run: Run, sheet_file: Path, sheet: ScoreSheet) -> list[LoggedPicture]:
    """The first picture of each prompt; of many, evenly spread ones. None, where the run does not tell their place."""
    folders = run.read().get("scores", {}).get(sheet_file.stem, {}).get("pictures", [])
    found = [picture for folder in folders for picture in _of_gallery(run.folder / folder, sheet)]
    return [found[index] for index in spread(range(len(found)), MOST)]


def _of_gallery(folder: Path, sheet: ScoreSheet) -> Iterator[LoggedPicture]:
    try:
        _, entries = read_index(folder / INDEX)
    except (OSError, ValueError):
        return
    for entry in sorted(entries, key=lambda entry: entry["file"]):
        file = folder / entry["file"]
        if entry["k"] == 0 and entry["state"] == "ok" and file.is_file():
            scores = _scores(sheet, entry["set"], entry["number"])
            if scores:
                yield LoggedPicture(sheet.subject, entry["prompt"], entry["seed"], file, scores)


def _scores(sheet: ScoreSheet, name: str, number: int) -> dict[str, float]:
    """Of the first picture of a prompt, by metrics that judge pictures one by one."""
    return {
        sheet.metrics[metric].title: value.value
        for metric, scored in sheet.rows["tuned"].items()
        for value in scored.values
        if (value.set, value.number, value.k) == (name, number, 0)
    }
