"""What the points will take, going by the runs that are finished."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from imprint.errors import UserError
from imprint.launching.prospects import Prospect
from imprint.launching.work import Work, work_of
from imprint.runs import Run


class Known(NamedTuple):
    """Of a finished run."""

    work: Work
    training: float  # seconds
    scoring: dict[str, float]  # seconds, by profile
    bytes: int  # of its result


class Cost(NamedTuple):
    """None where nothing alike is finished."""

    seconds: float | None
    bytes: float | None


def cost(prospect: Prospect, known: Sequence[Known]) -> Cost:
    """By runs of the same method, model and prior: seconds for a sample seen, bytes for a result."""
    if prospect.to_do == "done":
        return Cost(0.0, 0.0)
    work = prospect.work
    alike = [run for run in known if run.work.kind == work.kind]
    training = [run.training / max(run.work.samples, 1) * work.samples for run in alike]
    scoring = [run.scoring[work.profile] for run in alike if work.profile in run.scoring] if work.profile else [0.0]
    if prospect.to_do == "to score":
        training = [0.0]
    if not training or not scoring:
        return Cost(None, None)
    size = 0.0 if prospect.to_do == "to score" else median(run.bytes for run in alike)
    return Cost(median(training) + median(scoring), size)


def total(prospects: Sequence[Prospect], known: Sequence[Known]) -> Cost:
    """Of all that is left; None where a part of it is not known."""
    costs = [cost(prospect, known) for prospect in prospects]
    seconds = [each.seconds for each in costs if each.seconds is not None]
    sizes = [each.bytes for each in costs if each.bytes is not None]
    complete = len(seconds) == len(costs)
    return Cost(sum(seconds) if complete else None, sum(sizes) if complete else None)


def known_runs(outputs: Path) -> list[Known]:
    """Every finished run in this folder."""
    runs = (Run(manifest.parent) for manifest in sorted(outputs.glob("*/manifest.json")))
    return [known for run in runs if (known := known_of(run))]


def known_of(run: Run) -> Known | None:
    """None of a run that is not finished, or was not trained here."""
    try:
        manifest = run.read()
    except UserError:  # another's folder, which is no reason to stop
        return None
    seconds = manifest.training.seconds
    if manifest.status != "finished" or seconds is None or not manifest.config.method:
        return None
    scoring = {note.profile: note.seconds for note in manifest.scores.values() if note.seconds is not None}
    own = seconds / manifest.side_by_side  # of points that were trained together each has the time of all
    work = work_of(manifest.config.tree(), manifest.content.model)
    return Known(work, own, scoring, manifest.result_bytes or 0)
