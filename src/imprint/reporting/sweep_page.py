"""The page about one sweep: its points, in their order, those that have not begun too."""

from pathlib import Path

from imprint.files import write_text
from imprint.reporting.heading import Heading
from imprint.reporting.record import RunRecord, axes, records_of
from imprint.sweeps import Sweep


def write_sweep_report(sweep: Sweep, out: Path | None = None, *, live: bool | None = None) -> Path:
    """Writes the page to `out`, else into the sweep's folder, and returns where it is.

    May be called again and again while runs are trained: it only reads, takes what is half written as it is, and makes
    thumbnails once. A `live` page loads itself again; by default it does so until every point has ended.
    """
    from imprint.reporting.page import render  # the page and its figures: nothing for a single run

    points = sweep.points
    records = records_of(points)
    heading = Heading(
        title=sweep.name,
        question=sweep.question,
        commands=sweep.commands,
        axes=axes(points),
        objectives=sweep.objectives,
        is_sweep=True,
        is_live=not all(map(_has_ended, records)) if live is None else live,
    )
    page = out or sweep.report
    write_text(page, render(heading, records))
    return page


def _has_ended(record: RunRecord) -> bool:
    """A run that is to be scored ends with its scores, or with why there are none."""
    is_judged = any(key.startswith("evaluation.") for key in record.settings)
    scored = record.scoring_error or any((record.folder / "scores").glob("*.json"))
    return record.status == "failed" or (record.status == "finished" and bool(scored or not is_judged))
