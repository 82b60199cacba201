"""What is told of a benchmark: beforehand, and while it is at work."""

import logging
from collections.abc import Collection, Iterator, Sequence
from statistics import fmean

from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.sheet import ScoreSheet
from imprint.reporting.units import duration
from imprint.runs import Run
from imprint.verbs.benchmark.campaign import Campaign, Job
from imprint.verbs.benchmark.work import Outcome

log = logging.getLogger(__name__)

STATES = {"finished": "to score", "absent": "to train"}  # by a run's status; any other was begun


class Progress:
    """One line for each run that is through, with the time that the rest will take, going by those before it."""

    def __init__(self, left: Sequence[Job], *, total: int, processes: int) -> None:
        self._to_train = {job.name: not job.trained for job in left}
        self._total = total
        self._processes = processes
        self._training: list[float] = []
        self._scoring: list[float] = []

    def tell(self, job: Job, outcome: Outcome) -> None:
        trained = self._to_train.pop(job.name)
        place = f"[{self._total - len(self._to_train)}/{self._total}] {job.name}"
        if outcome.state == "failed":
            log.warning("%s failed: %s %s", place, outcome.reason, self._rest())
            return
        self._scoring.append(outcome.scoring)
        took = f"scored in {duration(outcome.scoring)}"
        if trained:
            self._training.append(outcome.training)
            took = f"trained in {duration(outcome.training)}, {took}"
        log.info("%s: %s. %s", place, took, self._rest())

    def _rest(self) -> str:
        left = len(self._to_train)
        if not left:
            return "That was the last."
        to_train = sum(self._to_train.values())
        if not self._scoring or (to_train and not self._training):
            return f"{left} left."
        seconds = fmean(self._scoring) * left + (fmean(self._training) * to_train if to_train else 0)
        return f"{left} left, about {duration(seconds / self._processes)}."


def described(campaign: Campaign, *, done: Collection[str]) -> Iterator[str]:
    """The whole plan, and what is still to be done."""
    profile = campaign.request.evaluation
    left = [job for job in campaign.jobs if job.name not in done]
    for job in campaign.jobs:
        state = "done" if job.name in done else STATES.get(job.run.status, "to go on with")
        yield f"  {state:13} {job.name}"
    yield f"{len(campaign.jobs)} runs: {len(done)} are done."
    if not left:
        return
    untrained = sum(not job.trained for job in left)
    tuned = sum(_pictures(job, profile.needed, profile) for job in left)
    yield f"To do: train {untrained}, and score {len(left)} under {profile.name}."
    yield f"Pictures to draw: {tuned:,}, and {_of_the_untuned(left, profile):,} of the untuned model, at most."
    yield _time(campaign, len(left))


def _of_the_untuned(jobs: Collection[Job], profile: Profile) -> int:
    """Its pictures of a subject are shared by all methods and seeds."""
    sets = [*profile.needed_untuned, *([SUBJECT] if "prompt_only" in profile.rows else [])]
    return sum(_pictures(job, sets, profile) for job in {job.member.name: job for job in jobs}.values())


def _pictures(job: Job, sets: Collection[str], profile: Profile) -> int:
    asked = profile.asked(job.member.kind, job.member.noun)
    return sum(len(asked.get(name, ())) for name in sets)


def _time(campaign: Campaign, left: int) -> str:
    """Going by runs of this campaign that are finished and scored."""
    known = [seconds for job in campaign.jobs if (seconds := _seconds_of(job.run, campaign.request.evaluation.name))]
    if not known:
        return "How long that takes is not known before a run is scored."
    return f"That takes about {duration(fmean(known) * left / campaign.request.processes)}."


def _seconds_of(run: Run, profile: str) -> float | None:
    files = sorted((run.folder / "scores").glob(f"{profile}-*.json"), key=lambda file: file.stat().st_mtime)
    training = run.read().training.seconds
    if run.status != "finished" or training is None or not files:
        return None
    return float(training) + sum(ScoreSheet.read(files[-1]).seconds.values())
