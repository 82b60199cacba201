"""Before a sweep starts: its points, and the time and disk space that they will take, estimated from finished runs."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from omegaconf import DictConfig

from imprint.errors import UserError
from imprint.launching.plan import PlannedPoint, SweepPoint, ToDo, Work, plan_point, work_of
from imprint.planning import memory_settings, residence
from imprint.planning.memory.describe import describe as describe_memory
from imprint.reporting.units import duration, size
from imprint.runs import Run

ORDER: tuple[ToDo, ...] = ("done", "to score", "to go on with", "to try again", "to train")
MAX_LISTED = 40  # points


class FinishedRun(NamedTuple):
    """What a finished run took."""

    work: Work
    training: float  # seconds
    scoring: dict[str, float]  # seconds, by profile
    bytes: int  # of its result


class Cost(NamedTuple):
    """None where no run of the same kind is finished."""

    seconds: float | None
    bytes: float | None


def describe(points: Sequence[PlannedPoint], *, asked: int, outputs: Path, listed: bool) -> Iterator[str]:
    """Each point, where `listed`, and what all of it takes."""
    known = finished_runs(outputs)
    if listed:
        yield from _lines(points[:MAX_LISTED], known)
        if len(points) > MAX_LISTED:
            yield f"  ... and {len(points) - MAX_LISTED} more"
    counts = Counter(point.to_do for point in points)
    yield f"{_counted(len(points))}: {', '.join(f'{counts[state]} {state}' for state in ORDER if counts[state])}."
    if len(points) < asked:
        yield f"{_counted(asked)} were asked for; those that come to the same run are launched once."
    if set(counts) != {"done"}:
        yield _takes(total(points, known), outputs)


def forecast(cfg: DictConfig) -> Iterator[str]:
    """What a single training would be. Raises ConfigError."""
    point = plan_point(cfg, SweepPoint((), ()))
    yield f"{point.run.folder}: {point.to_do}"
    outputs = point.run.folder.parent
    if point.to_do != "done":
        yield from point.plan.remarks()
        yield from residence.describe(point.plan)
        yield from memory_settings.describe(point.plan)
        yield from describe_memory(point.plan, phases=True)
        yield _takes(total([point], finished_runs(outputs)), outputs)


def cost(point: PlannedPoint, known: Sequence[FinishedRun]) -> Cost:
    """Estimated from runs of the same method, model and prior: seconds for a sample, bytes for a result."""
    if point.to_do == "done":
        return Cost(0.0, 0.0)
    work = point.work
    alike = [run for run in known if run.work.kind == work.kind]
    training = [run.training / max(run.work.samples, 1) * work.samples for run in alike]
    scoring = [run.scoring[work.profile] for run in alike if work.profile in run.scoring] if work.profile else [0.0]
    if point.to_do == "to score":
        training = [0.0]
    if not training or not scoring:
        return Cost(None, None)
    size = 0.0 if point.to_do == "to score" else median(run.bytes for run in alike)
    return Cost(median(training) + median(scoring), size)


def total(points: Sequence[PlannedPoint], known: Sequence[FinishedRun]) -> Cost:
    """Of all that is left; None where a part of it is not known."""
    costs = [cost(point, known) for point in points]
    seconds = [each.seconds for each in costs if each.seconds is not None]
    sizes = [each.bytes for each in costs if each.bytes is not None]
    complete = len(seconds) == len(costs)
    return Cost(sum(seconds) if complete else None, sum(sizes) if complete else None)


def finished_runs(outputs: Path) -> list[FinishedRun]:
    """Every finished run in this folder."""
    runs = (Run(manifest.parent) for manifest in sorted(outputs.glob("*/manifest.json")))
    return [known for run in runs if (known := _finished_run(run))]


def _finished_run(run: Run) -> FinishedRun | None:
    """None of a run that is not finished, or was not trained here."""
    try:
        manifest = run.read()
    except UserError:  # not a run's folder, or a damaged one
        return None
    seconds = manifest.training.seconds
    if manifest.status != "finished" or seconds is None or not manifest.config.method:
        return None
    scoring = {note.profile: note.seconds for note in manifest.scores.values() if note.seconds is not None}
    own = seconds / manifest.side_by_side  # points that were trained together all note the same time
    work = work_of(manifest.config.tree(), manifest.content.model)
    return FinishedRun(work, own, scoring, manifest.result_bytes or 0)


def _lines(points: Sequence[PlannedPoint], known: Sequence[FinishedRun]) -> Iterator[str]:
    width = max(len(point.label) for point in points)
    for point in points:
        seconds = "" if point.to_do == "done" else duration(cost(point, known).seconds)
        yield f"  {point.to_do:13}  {point.label:{width}}  {seconds:>12}".rstrip()


def _takes(estimate: Cost, outputs: Path) -> str:
    free = f"{size(_free(outputs))} are free"
    if estimate.seconds is None or estimate.bytes is None:
        return f"The first run of a kind that is finished in {outputs.name}/ tells how long the others take; {free}."
    return (
        f"One after another that takes about {duration(estimate.seconds)}, going by finished runs; results of "
        f"{size(estimate.bytes)} ({free})."
    )


def _free(outputs: Path) -> int:
    there = next(folder for folder in (outputs, *outputs.parents) if folder.exists())
    return shutil.disk_usage(there).free


def _counted(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"
