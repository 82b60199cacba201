"""A sweep at Weights & Biases: one run that sums up the group of its points."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from imprint.reporting.fidelity import plots
from imprint.reporting.points import axes, records_of
from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores, scores_of
from imprint.reporting.tracking.session import WandbSession
from imprint.reporting.tracking.settings import WandbSettings, chosen, settings_of
from imprint.reporting.tracking.sweep_pictures import sweep_pictures
from imprint.reporting.tracking.sweep_table import mean_of, point_table
from imprint.sweeps import Sweep

if TYPE_CHECKING:
    import wandb


def log_sweep(sweep: Sweep, settings: WandbSettings | None = None) -> None:
    """Tells W&B what came of a sweep so far: every point with settings, scores and cost, pictures of the same prompt
    and seed side by side, subject fidelity against prompt fidelity. Launched again, it goes on with the same W&B run.

    Without `settings` it does as the first point that was tracked. Never raises for W&B's sake.
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
    tags = [tag for point in points for tag in chosen(point.run.read().config.tree())]
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
    """Of its name alone: the sweep goes on from wherever it is launched again, as its group does."""
    plain = re.sub(r"[^\w-]+", "-", sweep.name, flags=re.ASCII).strip("-")
    return "-".join(filter(None, ("sweep", plain[:80], hashlib.sha256(sweep.name.encode()).hexdigest()[:6])))


def _row(records: Sequence[RunRecord], scores: RunScores, keys: Sequence[str]) -> dict[str, Any]:
    import wandb

    table = point_table(records, scores, keys)
    told: dict[str, Any] = {"points": wandb.Table(columns=table.columns, data=table.rows)}
    if pictures := [wandb.Image(picture, caption=caption) for caption, picture in sweep_pictures(records, keys)]:
        told["xy"] = pictures
    for number, plot in enumerate(plots(scores.board) if scores.board else (), start=1):
        told["pareto" if number == 1 else f"pareto-{number}"] = wandb.Html(_page(plot.title, plot.svg), inject=False)
    return told


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
    """How many points ended how, and the best of each metric that its author looks at."""
    states = [record.status for record in records]
    for state in dict.fromkeys(("finished", "failed", *states)):
        yield f"points/{state}", states.count(state)
    yield "notes", list(scores.notes)
    for column in scores.columns:
        if column.name not in sweep.objectives or column.facts.better == "neither":
            continue
        every = {record.name: mean_of(record, scores, column) for record in records}
        means = {name: mean for name, mean in every.items() if mean is not None}
        if means:
            best = (max if column.facts.better == "higher" else min)(means, key=lambda name: means[name])
            yield f"best/{column.title}", means[best]
            yield f"best/{column.title}, run", best


def _page(title: str, svg: str) -> str:
    """The plot by itself, on light and dark pages."""
    style = "body{margin:1em;font-family:sans-serif;color:#23242a;background:#fbfaf7}svg{width:100%;height:auto}"
    return f"<!doctype html><meta charset='utf-8'><title>{title}</title><style>{style}</style>{svg}"
