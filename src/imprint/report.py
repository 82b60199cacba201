"""The report verb: every run below some folders, on one page."""

from collections.abc import Sequence
from pathlib import Path

from imprint.files import write_text
from imprint.reporting.page import render
from imprint.reporting.record import find_runs


def write_report(folders: Sequence[Path], out: Path) -> Path:
    """Writes the page to `out` and returns it. Raises UserError when there is no run."""
    records = find_runs(folders)
    title = folders[0].resolve().name if len(folders) == 1 else f"{len(records)} runs"
    write_text(out, render(title, records))
    return out
