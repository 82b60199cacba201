"""What stands above the runs on a page: the question, how many runs have ended, and the best scores."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from imprint.errors import UserError
from imprint.partial_files import files_named
from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import DRAWS, SEED, RunScores
from imprint.reporting.units import duration, quantity, size
from imprint.reporting.verdict import verdict
from imprint.sweeps import FOLDER, Sweep

REFRESH = 15  # seconds after which a page that is still being written is loaded again
STATUSES = ("finished", "running", "stopped", "failed", "absent", "unreadable")  # in the order of counts


class Link(NamedTuple):
    """To the page of a sweep, or the command that writes it."""

    name: str
    question: str
    points: int
    page: str  # relative to the page that names it; empty: not written yet
    command: str


class Heading(NamedTuple):
    title: str
    question: str = ""
    commands: Sequence[str] = ()
    axes: Sequence[str] = ()  # settings that a sweep varies
    objectives: Sequence[str] = ()  # metrics that its author named
    is_sweep: bool = False
    is_live: bool = False  # it is still being written
    sweeps: Sequence[Link] = ()
    refresh: int = REFRESH
    home: str = ""  # where other pages are; empty: the page is a file by itself


def links(folders: Sequence[Path], out: Path) -> list[Link]:
    """Of the sweeps below the folders, for a page at `out`."""
    records = sorted({file.resolve() for folder in folders for file in files_named("sweep.json", folder)})
    found = []
    for sweep in (Sweep(record.parent) for record in records if record.parent.parent.name == FOLDER):
        page = os.path.relpath(sweep.report, out.resolve().parent) if sweep.report.is_file() else ""
        command = f"imprint report {as_argument(sweep.folder)}"
        try:
            question, points = sweep.question, len(sweep.points)
        except UserError as error:
            question, points = str(error), 0
        found.append(Link(sweep.name, question, points, page.replace(os.sep, "/"), command))
    return found


def counts(records: Sequence[RunRecord]) -> list[tuple[str, str, int]]:
    """Of each status that occurs: its name, the word for it, and how many runs have it."""
    words = {record.status: record.status_word for record in records}
    found = [record.status for record in records]
    return [(status, words[status], found.count(status)) for status in STATUSES if status in words]


def unscored(records: Sequence[RunRecord]) -> list[str]:
    """The finished runs without scores, as arguments of a command."""
    return [
        as_argument(record.folder)
        for record in records
        if record.status == "finished" and not record.scoring_error and not record.score_files
    ]


def as_argument(path: Path) -> str:
    """Relative to the working directory. Of a path outside it only the end, since pages are given to others."""
    here = Path.cwd().resolve()
    path = path.resolve()
    return str(path.relative_to(here)) if path.is_relative_to(here) else "/".join(["…", *path.parts[-2:]])


def headlines(
    records: Sequence[RunRecord], scores: RunScores, names: Mapping[str, str], *, objectives: Sequence[str] = ()
) -> list[str]:
    """The verdict, and what it cost."""
    found = verdict(scores.board, objectives, draws=DRAWS, seed=SEED) if scores.board else []
    return [*found, *_cost(records, names)] if len(records) > 1 else found


def _cost(records: Sequence[RunRecord], names: Mapping[str, str]) -> Iterator[str]:
    """Of finished runs: one that was stopped after a few steps is not the quickest."""
    records = [record for record in records if record.status == "finished"]
    took = {record.name: seconds for record in records if (seconds := record.cost.get("seconds")) is not None}
    if len(set(map(duration, took.values()))) < 2:
        return
    steps = {record.name: record.steps for record in records if record.name in took}
    is_unequal = len(set(steps.values())) > 1
    quickest, slowest = (choose(took, key=lambda name: took[name]) for choose in (min, max))
    weight = next(record.cost.get("result_bytes") for record in records if record.name == quickest)

    def told(name: str) -> str:
        made = f" for {quantity(steps[name])} steps" if is_unequal else ""
        return f"{names[name]}, {duration(took[name])}{made}"

    yield f"Quickest: {told(quickest)}{f' and {size(weight)}' if weight else ''}; slowest: {told(slowest)}."
