"""imprint report: every run below some folders, on one self-contained page."""

import logging
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from imprint.files import write_text
from imprint.locations import locate
from imprint.reporting.page import render
from imprint.reporting.record import find_runs
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
    page = write_report([locate(request.folder)], locate(request.out))
    log.info("Report: %s", page)
    if request.open:
        webbrowser.open(page.as_uri())


def write_report(folders: Sequence[Path], out: Path) -> Path:
    """Writes the page to `out` and returns it. Raises UserError when there is no run."""
    records = find_runs(folders)
    title = folders[0].resolve().name if len(folders) == 1 else f"{len(records)} runs"
    write_text(out, render(title, records))
    return out
