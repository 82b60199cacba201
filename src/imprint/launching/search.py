"""A search: a sweep whose points are chosen one after another, by how good those before are."""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, get_args

from filelock import FileLock, Timeout
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher

from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, RunBusy, UserError
from imprint.evaluation.profile import Profile
from imprint.launching.launch import command_line, launch, own_settings
from imprint.launching.plan import LONGEST_NAME, Asked, Planned, planned_point
from imprint.launching.show import Observer, choose_show
from imprint.launching.status import Status
from imprint.launching.summary import Keeper, failures
from imprint.launching.trials import Direction, Space, Trials, described, one_of, space_of
from imprint.locations import locate
from imprint.planning.parts import Parts
from imprint.planning.prepare import prepare
from imprint.sweeps import Sweep

log = logging.getLogger(__name__)

Goal = Literal["first", "all"]


class Search(NamedTuple):
    """See conf/hydra/sweeper/optuna.yaml."""

    goal: Goal
    n_trials: int
    n_jobs: int
    failures_in_a_row: int
    sampler: Mapping[str, Any]

    def problems(self) -> Iterator[Problem]:
        if self.goal not in get_args(Goal):
            yield Problem("hydra.sweeper.goal", self.goal, f"choose one of {', '.join(get_args(Goal))}.")
        for name in ("n_trials", "n_jobs", "failures_in_a_row"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                yield Problem(f"hydra.sweeper.{name}", value, "give a whole number of at least 1.")


def run_search(composer: Composer, launcher: Launcher, arguments: Sequence[str], search: Search) -> None:
    """Until `search.n_trials` are finished, with those of earlier launches.

    Raises ConfigError, before any trial starts, with what is wrong with all of them; UserError at the end, if a trial
    failed.
    """
    if problems := list(search.problems()):
        raise ConfigError(problems)
    given = list({override.get_key_element(): override for override in composer.parse(arguments)}.values())
    fixed = tuple(str(override.input_line) for override in given if not override.is_sweep_override())
    space = _space(given)
    parts = prepare(composer.point([*fixed, *one_of(space)])).parts
    goals = _goals(parts, search)
    sweep = Sweep.named(parts.sweep.name or _name(space, arguments), locate(parts.outputs))
    told = " and ".join(
        f"{name} ({'lower' if way == 'minimize' else 'higher'} is better)" for name, way in goals.items()
    )
    log.info("Search %s: %d trials, by %s, over", sweep.name, search.n_trials, told)
    for line in described(space):
        log.info("  %s", line)
    if parts.dry_run:
        return
    with _alone(sweep):
        trials = Trials(sweep.folder, goals=goals, space=space, sampler=search.sampler)
        if trials.finished:
            log.info("%d trials were finished before.", trials.finished)
        attempts = Attempts(
            composer,
            launcher,
            sweep,
            command=command_line(composer, ("train", "-m"), arguments),
            fixed=fixed,
            own=own_settings(composer, arguments, sweep),
            goals=list(goals),
        )
        try:
            _go(trials, attempts, search)
        finally:
            attempts.close()
            for trial in trials.best:
                values = ", ".join(f"{name} {value:.3f}" for name, value in zip(goals, trial.values, strict=True))
                chosen = " ".join(f"{key}={value}" for key, value in trial.params.items())
                log.info("%s: %s: %s", "Best" if len(goals) == 1 else "Not beaten", chosen, values)
    if failure := attempts.failure():
        raise failure


class Attempts:
    """The trials as points of a sweep: launched, watched, and noted in its folder.

    `fixed` and `own` are set for every trial; `goals` are the metrics that it is judged by."""

    def __init__(
        self,
        composer: Composer,
        launcher: Launcher,
        sweep: Sweep,
        *,
        command: str,
        fixed: tuple[str, ...],
        own: Mapping[str, str],
        goals: Sequence[str],
    ) -> None:
        self._composer = composer
        self._launcher = launcher
        self._sweep = sweep
        self._command = command
        self._fixed = fixed
        self._own = own
        self._goals = goals
        self._points: list[Planned] = []
        self._seen: dict[str, Status] = {}
        self._heard: dict[str, str] = {}
        self._refused: dict[str, str] = {}  # why trials could not even begin, by what was set for them
        self._keeper = Keeper(sweep, self._points)

    def values(self, chosen: Sequence[Mapping[str, Any]]) -> list[list[float] | None]:
        """What each comes to, all of them launched together; None where it failed."""
        since = time.time()
        tried = [self._point(params) for params in chosen]
        together = {point.name: point for point in tried if point}
        self._run(list(together.values()), since)
        return [self._value(point) if point else None for point in tried]

    def failure(self) -> UserError | None:
        """What the search ends with, if a trial did not end well."""
        refused = [f"  - {told}: {reason}" for told, reason in self._refused.items()]
        failed = failures(self._points, self._seen, self._heard)
        if not refused:
            return failed
        return UserError("\n".join([*([str(failed)] if failed else []), "Trials that cannot be:", *refused]))

    def close(self) -> None:
        if self._points:
            self._keeper.end(self._seen)
            log.info("Summary: %s", self._sweep.summary)
            log.info("Report:  %s", self._sweep.report)

    def _point(self, params: Mapping[str, Any]) -> Planned | None:
        told = tuple(f"{key}={value}" for key, value in params.items())
        asked = Asked((*self._fixed, *told), told)
        try:
            return planned_point(self._composer.point(asked.overrides), asked)
        except (UserError, HydraException) as error:
            self._refused[" ".join(told)] = str(error)
            log.warning("%s cannot be: %s", " ".join(told), error)
            return None

    def _run(self, together: Sequence[Planned], since: float) -> None:
        new = [point for point in together if point.name not in self._seen]
        if not new:
            return
        self._points += new
        self._note(new)
        keep = self._keeper.keep
        observer = Observer(new, choose_show(new), lambda seen: keep(self._seen | dict(seen)), since=since)
        try:
            with observer:
                self._heard |= launch(self._launcher, new, self._own, first=len(self._points) - len(new))
        except Exception as error:  # of the launcher; the folders tell how far the points are
            self._heard |= {point.name: str(error) for point in new}
            log.warning("The launcher failed: %s", error)
        finally:
            self._seen |= observer.seen

    def _note(self, new: Sequence[Planned]) -> None:
        settings = new[0].plan.parts.sweep
        self._sweep.note(
            question=settings.question,
            command=self._command,
            objectives=settings.objectives,
            points=[point.point for point in new],
        )

    def _value(self, point: Planned) -> list[float] | None:
        seen = self._seen[point.name]
        measured = seen.state == "done" and all(name in seen.means for name in self._goals)
        return [seen.means[name] for name in self._goals] if measured else None


def unmeasured(names: Sequence[str], profile: Profile | None) -> Problem | None:
    """What is wrong where a search cannot be told how good a run is."""
    there = list(profile.metrics) if profile else []
    missing = [name for name in names if name not in there]
    if names and not missing:
        return None
    remedy = f"choose among those of this evaluation: {', '.join(there)}" if there else "add evaluation=quick"
    return Problem("sweep.objectives", list(names), f"a search goes by metrics of the evaluation; {remedy}.")


def _go(trials: Trials, attempts: Attempts, search: Search) -> None:
    left, in_a_row = search.n_trials - trials.finished, 0
    while left > 0:
        asked = [trials.ask() for _ in range(min(search.n_jobs, left))]
        left -= len(asked)
        for trial, values in zip(asked, attempts.values([trial.params for trial in asked]), strict=True):
            trials.tell(trial, values)
            in_a_row = 0 if values else in_a_row + 1
        if in_a_row >= search.failures_in_a_row:
            log.warning("The last %d trials failed: the search ends here.", in_a_row)
            return


def _space(given: Sequence[Override]) -> Space:
    space = space_of(given)
    if not space:
        raise UserError(
            "A search chooses between values, and the command gives none: for instance "
            "'method.lr=tag(log,interval(1e-5,1e-3))' method.rank=4,8,16."
        )
    return space


def _goals(parts: Parts, search: Search) -> dict[str, Direction]:
    """What is better, by metric. Raises ConfigError."""
    names = parts.sweep.objectives[: 1 if search.goal == "first" else None]
    if problem := unmeasured(names, parts.evaluation):
        raise ConfigError([problem])
    assert parts.evaluation is not None
    better = {name: parts.evaluation.metrics[name].better for name in names}
    if undirected := [name for name in names if better[name] == "neither"]:
        raise ConfigError([Problem("sweep.objectives", names, f"neither more nor less {undirected[0]} is better.")])
    return {name: "minimize" if better[name] == "lower" else "maximize" for name in names}


def _name(space: Space, arguments: Sequence[str]) -> str:
    """The same for the same command."""
    words = "-".join(key.rpartition(".")[2].replace("/", "_") for key in space)[:LONGEST_NAME]
    return f"{words}-{hashlib.sha256(' '.join(sorted(arguments)).encode()).hexdigest()[:6]}"


@contextmanager
def _alone(sweep: Sweep) -> Iterator[None]:
    sweep.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(sweep.folder / ".search.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunBusy(f"{sweep.folder}: another process is at this very search. Wait for it, or stop it.") from error
    try:
        yield
    finally:
        lock.release()
