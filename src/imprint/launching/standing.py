"""How far a point is, as its run's folder tells: whatever launcher has it, on whatever machine."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from imprint.launching.objectives import means_of
from imprint.launching.prospects import Prospect
from imprint.manifest import Manifest
from imprint.reporting.local import last_step

State = Literal["waiting", "training", "scoring", "done", "failed", "stopped"]
ENDED: tuple[State, ...] = ("done", "failed")


class Standing(NamedTuple):
    state: State
    share: float = 0.0  # of its training that is done
    means: dict[str, float] = {}  # noqa: RUF012 - never changed; a tuple's default
    seconds: float | None = None
    reason: str = ""  # why it failed


def stopped(standing: Standing) -> Standing:
    """Of what was at work when its launcher ended: nothing trains it any more, and it says nothing of why."""
    return standing._replace(state="stopped") if standing.state in ("training", "scoring") else standing


def standing(prospect: Prospect, *, since: float) -> Standing:
    """Going by what happened to the run after the moment `since`; of what was before, only what is finished counts."""
    run = prospect.run
    facts = run.read()
    is_new = facts.status != "absent" and run.manifest.stat().st_mtime >= since
    if facts.status == "finished":
        return _finished(prospect, facts, is_new=is_new, since=since)
    if not is_new:
        return Standing("waiting")
    if facts.status == "failed":
        return Standing("failed", reason=facts.error)
    return Standing("training", last_step(run.metrics) / prospect.plan.parts.hparams.steps)


def _finished(prospect: Prospect, facts: Manifest, *, is_new: bool, since: float) -> Standing:
    note, means = prospect.run.scoring_error, means_of(prospect.run, prospect.profile)
    seconds = facts.training.seconds
    if note.is_file() and note.stat().st_mtime >= since:
        return Standing("failed", 1.0, {}, seconds, note.read_text(encoding="utf-8"))
    if prospect.to_do == "done" or prospect.profile is None or (means and is_new):
        return Standing("done", 1.0, means, seconds)
    return Standing("scoring", 1.0)


class Standings:
    """Of all points. What has ended is not read again."""

    def __init__(self, prospects: Sequence[Prospect], *, since: float) -> None:
        self._prospects = prospects
        self._since = since
        self._ended: dict[str, Standing] = {}

    def now(self) -> dict[str, Standing]:
        """By name, in the order of the points."""
        found = {}
        for prospect in self._prospects:
            name = prospect.name
            found[name] = self._ended.get(name) or standing(prospect, since=self._since)
            if found[name].state in ENDED:
                self._ended[name] = found[name]
        return found


def first_line(text: str) -> str:
    """Of a message; the last one of a stack trace, which says what it was."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "its process ended without a word."
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]
