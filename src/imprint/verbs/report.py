"""imprint report: every run below some folders, or every point of a sweep, on one self-contained page."""

import logging
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from imprint.errors import UserError
from imprint.files import write_text
from imprint.locations import locate
from imprint.reporting.heading import Heading, headlines, links
from imprint.reporting.page import render, write_sweep_report
from imprint.reporting.record import RunRecord, find_runs, records_of
from imprint.reporting.run_scores import scores_of
from imprint.reporting.screen import has_screen
from imprint.reporting.side_by_side import labels
from imprint.reporting.tracking.workspace import save_workspace
from imprint.requests import read_request
from imprint.sweeps import Sweep
from imprint.tables.table import clean

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `report.yaml` asks for."""

    folder: str
    out: str
    open: bool
    workspace: bool


def main(cfg: DictConfig) -> None:
    request = read_request(Request, cfg)
    folder, out = locate(request.folder), locate(request.out)
    objectives: Sequence[str] = ()
    if Sweep(folder).record.is_file():
        sweep = Sweep.open(folder)
        page, records = write_sweep_report(sweep, out, live=False), records_of(sweep.points)
        objectives = sweep.objectives
    else:
        page, records = write_report([folder], out), find_runs([folder])
    for line in summary(records):
        log.info("  %s", line)
    for line in headlines(records, scores_of(records), labels(records), objectives=objectives):
        log.info("%s", clean(line))
    log.info("Report: %s", page)
    if request.workspace:
        log.info("Weights & Biases: %s", save_workspace(records))
    if request.open and has_screen():
        webbrowser.open(page.as_uri())


def write_report(folders: Sequence[Path], out: Path) -> Path:
    """Writes the page to `out` and returns it. Raises UserError when there is no run."""
    sweeps = links(folders, out)
    try:
        records = find_runs(folders)
    except UserError as error:
        if not sweeps:
            raise
        commands = "\n".join(f"  {sweep.command}" for sweep in sweeps)
        raise UserError(f"{error}\nSweeps lie there, whose runs are elsewhere:\n{commands}") from error
    title = folders[0].resolve().name if len(folders) == 1 else f"{len(records)} runs"
    write_text(out, render(Heading(title=title, sweeps=sweeps), records))
    return out


def summary(records: Sequence[RunRecord]) -> Iterator[str]:
    """One line a run: its label, status, steps and time."""
    names = labels(records)
    width = max((len(name) for name in names.values()), default=0)
    for record in records:
        seconds = record.cost.get("seconds")
        took = "" if seconds is None else f"  {seconds:.0f} s"
        yield clean(f"{names[record.name]:{width}}  {record.status_word}  {record.steps or 0} steps{took}")
