"""imprint report: every run below some folders, on one self-contained page."""

import logging
import os
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from imprint.files import write_text
from imprint.locations import locate
from imprint.reporting.page import render
from imprint.reporting.record import RunRecord, find_runs
from imprint.reporting.side_by_side import labels
from imprint.requests import read_request

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `report.yaml` asks for."""

    folder: str
    out: str
    open: bool
    outputs: str


def main(cfg: DictConfig) -> None:
    request = read_request(Request, cfg)
    folders = [locate(request.folder)]
    page = write_report(folders, locate(request.out))
    for line in summary(find_runs(folders)):
        log.info("  %s", line)
    log.info("Report: %s", page)
    if request.open and _has_screen():
        webbrowser.open(page.as_uri())


def write_report(folders: Sequence[Path], out: Path) -> Path:
    """Writes the page to `out` and returns it. Raises UserError when there is no run."""
    records = find_runs(folders)
    title = folders[0].resolve().name if len(folders) == 1 else f"{len(records)} runs"
    write_text(out, render(title, records))
    return out


def summary(records: Sequence[RunRecord]) -> Iterator[str]:
    """One line a run: what makes it different, and what it came to."""
    names = labels(records)
    width = max(len(name) for name in names.values())
    for record in records:
        seconds = "" if record.cost.seconds is None else f"  {record.cost.seconds:.0f} s"
        yield f"{names[record.name]:{width}}  {record.status}  {record.steps or 0} steps{seconds}"


def _has_screen() -> bool:
    """Without one, a browser that works in the terminal would be opened, and wait there."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
