"""A sweep at Weights & Biases: one W&B run that summarises the group of its points."""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from PIL import Image

from imprint.reporting.contact_sheets import ContactSheet, SheetPicture, render, spread
from imprint.reporting.record import RunRecord, axes, differing, records_of
from imprint.reporting.run_scores import RunScores, scores_of
from imprint.reporting.scoreboard.costs import COSTS
from imprint.reporting.scoreboard.leading import NOT_BEST
from imprint.reporting.side_by_side import Gallery, Row, galleries, labels
from imprint.reporting.tracking.session import WandbSession, WandbSettings, settings_of, tags_of
from imprint.sweeps import Sweep
from imprint.tables.table import Table

if TYPE_CHECKING:
    import wandb

COLUMNS = 12  # of one picture; more points have more pictures, each with the untuned model's column
ROWS = 8  # prompts and seeds; of more, evenly spread ones
MOST = 2000  # pictures in all


def log_sweep(sweep: Sweep, settings: WandbSettings | None = None) -> None:
    """Logs the state of a sweep to W&B: every point with settings, scores and cost, contact sheets of the same prompts
    and seeds, subject fidelity against prompt fidelity. A sweep that is launched again resumes its W&B run.

    Without `settings`, those of the first point that was tracked hold. Failures of W&B raise nothing.
    """
    points = sweep.points
    using = settings or next((found for point in points if (found := settings_of(point.run))), None)
    if using is None or using.mode == "off" or not points:
        return
    records = records_of(points)
    config = {
        "sweep": sweep.name,
        "question": sweep.question,
        "commands": sweep.commands,
        "objectives": sweep.objectives,
        "points": [list(point.overrides) for point in points],
    }
    tags = [tag for point in points for tag in tags_of(point.run.read().config.tree())]
    session = WandbSession(
        using._replace(group=sweep.name),
        sweep.folder,
        id=sweep_id(sweep),
        name=sweep.name,
        job="sweep",
        tags=tags,
        config=config,
    )
    scores = scores_of(records)
    session.log(lambda: _row(records, scores, axes(points)))
    session.summarise(dict(_facts(sweep, records, scores)))
    session.do(lambda run: _log_files(run, sweep))
    session.finish()


def sweep_id(sweep: Sweep) -> str:
    """From the name alone, so that the sweep resumes its W&B run from wherever it is launched again."""
    plain = re.sub(r"[^\w-]+", "-", sweep.name, flags=re.ASCII).strip("-")
    return "-".join(filter(None, ("sweep", plain[:80], hashlib.sha256(sweep.name.encode()).hexdigest()[:6])))


def _row(records: Sequence[RunRecord], scores: RunScores, keys: Sequence[str]) -> dict[str, Any]:
    import wandb

    from imprint.reporting.figures import plots

    table = point_table(records, scores, keys)
    row: dict[str, Any] = {"points": wandb.Table(columns=table.headings, data=table.values)}
    if pictures := [wandb.Image(picture, caption=caption) for caption, picture in sweep_pictures(records, keys)]:
        row["xy"] = pictures
    for number, plot in enumerate(plots(scores.board) if scores.board else (), start=1):
        row["pareto" if number == 1 else f"pareto-{number}"] = wandb.Html(svg_page(plot.title, plot.svg), inject=False)
    return row


def _log_files(run: "wandb.Run", sweep: Sweep) -> None:
    """The page and the summary as they are now."""
    import wandb

    files = [file for file in (sweep.record, sweep.report, sweep.summary) if file.is_file()]
    sizes = {file.name: file.stat().st_size for file in files}
    artifact = wandb.Artifact(sweep_id(sweep), type="sweep", metadata={"files": sizes})
    for file in files:
        artifact.add_file(str(file), skip_cache=True)
    run.log_artifact(artifact)


def _facts(sweep: Sweep, records: Sequence[RunRecord], scores: RunScores) -> Iterator[tuple[str, Any]]:
    """How many points have each status, and which leads by each objective: "best" where it may be called so."""
    states = [record.status for record in records]
    for state in dict.fromkeys(("finished", "failed", *states)):
        yield f"points/{state}", states.count(state)
    yield "notes", list(scores.notes)
    for column in scores.columns:
        if column.name in sweep.objectives and (found := scores.leader(records, column)):
            record, leader = found
            yield f"leading/{column.title}", leader.mean
            yield f"leading/{column.title}, run", record.name
            # Also where none is: a sweep that is launched again goes on with the summary of before.
            yield f"best/{column.title}, run", record.name if leader.is_best else NOT_BEST


def svg_page(title: str, svg: str) -> str:
    """The plot by itself, on light and dark pages."""
    style = "body{margin:1em;font-family:sans-serif;color:#23242a;background:#fbfaf7}svg{width:100%;height:auto}"
    return f"<!doctype html><meta charset='utf-8'><title>{escape(title)}</title><style>{style}</style>{svg}"


def sweep_pictures(records: Sequence[RunRecord], axes: Sequence[str]) -> Iterator[tuple[str, Image.Image]]:
    """Captions and contact sheets, of the points that have pictures."""
    for gallery in galleries(records, axes, most=MOST):
        rows = spread(gallery.rows, ROWS)
        untuned = [index for index, column in enumerate(gallery.columns) if not column.run]
        points = [index for index, column in enumerate(gallery.columns) if column.run]
        most = COLUMNS - len(untuned)
        for first in range(0, len(points), most):
            shown = points[first : first + most]
            part = f", points {first + 1} to {first + len(shown)} of {len(points)}" if len(points) > most else ""
            yield f"{gallery.title}{part}", render(_contact_sheet(gallery, rows, [*untuned, *shown]))


def _contact_sheet(gallery: Gallery, rows: Sequence[Row], shown: Sequence[int]) -> ContactSheet:
    """Every row has the same columns."""
    headings = {f"{row.prompt}, {gallery.counted} {row.seed}": row for row in rows}
    pictures = [
        SheetPicture(picture.label, heading, row.seed, picture.file, row.prompt)
        for heading, row in headings.items()
        for picture in (row.pictures[index] for index in shown)
    ]
    return ContactSheet(
        prompt=gallery.title,
        x_heading="points",
        x_labels=tuple(rows[0].pictures[index].label for index in shown),
        y_heading=f"prompt, {gallery.counted}",
        y_labels=tuple(headings),
        seeds=(),
        pictures=pictures,
    )


def point_table(records: Sequence[RunRecord], scores: RunScores, axes: Sequence[str]) -> Table:
    """Each column holds numbers alone, or words alone; None where it is not known. The axes come first, then what else
    differs."""
    keys = [*axes, *(key for key in differing(records) if key not in axes)]
    names = labels(records, axes)
    columns: dict[str, Sequence[str | float | None]] = {
        "point": [names[record.name] for record in records],
        "run": [record.name for record in records],
        "status": [record.status for record in records],
        **{key: _as_numbers([record.settings.get(key) for record in records]) for key in keys},
    }
    for column in scores.columns:
        intervals = [scores.interval(record, column) for record in records]
        columns[column.heading] = [_finite(scores.mean(record, column)) for record in records]
        columns[f"{column.title}, low"] = [each.low if each else None for each in intervals]
        columns[f"{column.title}, high"] = [each.high if each else None for each in intervals]
    columns["steps"] = [record.steps for record in records]
    columns["loss"] = [_finite(record.loss) for record in records]
    columns |= {kind.key: [record.cost.get(kind.key) for record in records] for kind in COSTS}
    return Table.of_values(list(columns), zip(*columns.values(), strict=True))


def _as_numbers(values: Sequence[str | None]) -> list[float | None] | list[str | None]:
    """Numbers where all values are: W&B then draws an axis."""
    try:
        return [None if value in (None, "None") else float(str(value)) for value in values]
    except ValueError:
        return list(values)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
