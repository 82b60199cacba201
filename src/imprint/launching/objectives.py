"""The numbers of a run that a search goes by."""

from collections.abc import Sequence
from statistics import fmean

from imprint.errors import Problem
from imprint.evaluation.profile import Profile
from imprint.runs import Run


def means_of(run: Run, profile: str | None) -> dict[str, float]:
    """By metric, over the run's subjects: its latest scores under the profile; empty before it is scored."""
    told = [note for note in run.read().scores.values() if note.profile == profile]
    latest = {note.subject: note.means for note in told}
    metrics = dict.fromkeys(name for means in latest.values() for name in means)
    return {name: fmean(means[name] for means in latest.values() if name in means) for name in metrics}


def objective_of(run: Run, profile: str | None, names: Sequence[str]) -> float | list[float] | None:
    """What a search is told of the run: one number, or one for each name; None where one is not measured."""
    means = means_of(run, profile)
    if not names or any(name not in means for name in names):
        return None
    values = [means[name] for name in names]
    return values[0] if len(values) == 1 else values


def unmeasured(names: Sequence[str], profile: Profile | None) -> Problem | None:
    """What is wrong where a search cannot be told how good a run is."""
    there = list(profile.metrics) if profile else []
    missing = [name for name in names if name not in there]
    if names and not missing:
        return None
    remedy = f"choose among those of this evaluation: {', '.join(there)}" if there else "add evaluation=quick"
    return Problem("sweep.objectives", list(names), f"a search goes by metrics of the evaluation; {remedy}.")
