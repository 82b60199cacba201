"""What stands above a page's runs: what was asked, by which commands, and how far it is."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from imprint.errors import UserError
from imprint.reporting.record import RunRecord
from imprint.sweeps import FOLDER, Sweep

REFRESH = 15  # seconds after which a page that is still being written is loaded again
WORDS = {
    "finished": "finished",
    "running": "running",
    "failed": "failed",
    "absent": "waiting",
    "unreadable": "unreadable",
}


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
    objectives: Sequence[str] = ()  # metrics that its author looks at
    is_sweep: bool = False
    is_live: bool = False  # it is still being written
    sweeps: Sequence[Link] = ()
    refresh: int = REFRESH


def links(folders: Sequence[Path], out: Path) -> list[Link]:
    """Of the sweeps below the folders, for a page at `out`."""
    records = sorted({file.resolve() for folder in folders for file in folder.rglob("sweep.json")})
    found = []
    for sweep in (Sweep(record.parent) for record in records if record.parent.parent.name == FOLDER):
        page = os.path.relpath(sweep.report, out.resolve().parent) if sweep.report.is_file() else ""
        command = f"imprint report {as_typed(sweep.folder)}"
        try:
            question, points = sweep.question, len(sweep.points)
        except UserError as error:
            question, points = str(error), 0
        found.append(Link(sweep.name, question, points, page.replace(os.sep, "/"), command))
    return found


def counts(records: Sequence[RunRecord], *, is_live: bool) -> list[tuple[str, str, int]]:
    """Of each status that occurs: its name, the word for it, and how many runs have it."""
    words = WORDS if is_live else {**WORDS, "running": "not finished"}
    every = [(status, word, sum(record.status == status for record in records)) for status, word in words.items()]
    return [each for each in every if each[2]]


def unscored(records: Sequence[RunRecord]) -> list[str]:
    """The finished runs that nobody scored, as a command is given them."""
    return [
        as_typed(record.folder)
        for record in records
        if record.status == "finished"
        and not record.scoring_error
        and not any((record.folder / "scores").glob("*.json"))
    ]


def as_typed(path: Path) -> str:
    """As short as it works from here; from elsewhere only its end is told, for pages are given away."""
    here = Path.cwd().resolve()
    path = path.resolve()
    return str(path.relative_to(here)) if path.is_relative_to(here) else "/".join(["…", *path.parts[-2:]])
