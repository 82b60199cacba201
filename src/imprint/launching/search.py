"""A hyperparameter search: a sweep whose points are chosen by the scores of those before."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher

from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.profile import Profile
from imprint.fitting import locked
from imprint.launching.launch import Launches
from imprint.launching.plan import LONGEST_NAME, PlannedPoint, SweepPoint, plan_point
from imprint.launching.progress import Share
from imprint.launching.status import Status
from imprint.launching.trials import Direction, Space, Trials, describe_space, example_of, space_of
from imprint.locations import locate
from imprint.overrides import shortened
from imprint.planning.parts import Parts
from imprint.planning.prepare import prepare
from imprint.sweeps import Sweep

log = logging.getLogger(__name__)

Goal = Literal["first", "all"]
# What is chosen for trials that are carried out together -> the values of each, None where it failed.
Values = Callable[[Sequence[Mapping[str, Any]]], Sequence[Sequence[float] | None]]


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
    space = _checked_space(given)
    parts = prepare(composer.point([*fixed, *example_of(space)])).parts
    goals = _goals(parts, search)
    sweep = Sweep.named(parts.sweep.name or _name(space, arguments), locate(parts.outputs))
    objectives = " and ".join(
        f"{name} ({'lower' if way == 'minimize' else 'higher'} is better)" for name, way in goals.items()
    )
    log.info("Search %s: %d trials, by %s, over", sweep.name, search.n_trials, objectives)
    for line in describe_space(space):
        log.info("  %s", line)
    if parts.dry_run:
        return
    with locked(sweep.folder / ".search.lock", f"{sweep.folder}: another process is at this very search."):
        said = f"sweep.name={sweep.name}"
        trials = Trials(sweep.folder, goals=goals, space=space, sampler=search.sampler, said=said)
        if trials.finished:
            log.info("%d trials were finished before.", trials.finished)
        share = Share(trials.finished, search.n_trials)
        launches = Launches(composer, launcher, sweep, command=("train", "-m"), arguments=arguments, share=share)
        runner = TrialRunner(composer, launches, fixed=fixed, goals=list(goals))
        try:
            run_trials(trials, runner.values, search)
        finally:
            launches.close()
            for trial in trials.best:
                values = ", ".join(f"{name} {value:.3f}" for name, value in zip(goals, trial.values, strict=True))
                chosen = " ".join(shortened(f"{key}={value}") for key, value in trial.params.items())
                log.info("%s: %s: %s", _word(goals), chosen, values)
    if failure := runner.failure():
        raise failure


def _word(goals: Mapping[str, Direction]) -> str:
    """Not "best": the first of many trials is partly so by luck. The sweep's summary says what can be told apart."""
    if len(goals) > 1:
        return "Not beaten"
    return "Highest" if next(iter(goals.values())) == "maximize" else "Lowest"


class TrialRunner:
    """Carries out trials as points of a sweep. `fixed` is set for every trial; `goals` are the metrics by which it is
    measured."""

    def __init__(self, composer: Composer, launches: Launches, *, fixed: tuple[str, ...], goals: Sequence[str]) -> None:
        self._composer = composer
        self._launches = launches
        self._fixed = fixed
        self._goals = goals
        self._invalid: dict[str, str] = {}  # why trials could not begin, by what was chosen for them

    def values(self, trials: Sequence[Mapping[str, Any]]) -> list[list[float] | None]:
        """The values of each, of all launched together; None where it failed."""
        since = time.time()
        points = [self._point(params) for params in trials]
        statuses = self._launches.statuses
        new = {point.name: point for point in points if point and point.name not in statuses}
        if new and (error := self._launches.run(list(new.values()), since=since)):
            self._launches.errors |= dict.fromkeys(new, str(error))
            log.warning("The launcher failed: %s", error)
        return [self._measured(statuses[point.name]) if point else None for point in points]

    def failure(self) -> UserError | None:
        """What the search ends with, if a trial did not end well."""
        invalid = [f"  - {label}: {reason}" for label, reason in self._invalid.items()]
        failed = self._launches.failure()
        if not invalid:
            return failed
        return UserError("\n".join([*([str(failed)] if failed else []), "Trials that cannot be:", *invalid]))

    def _point(self, params: Mapping[str, Any]) -> PlannedPoint | None:
        varied = tuple(f"{key}={value}" for key, value in params.items())
        asked = SweepPoint((*self._fixed, *varied), varied)
        try:
            return plan_point(self._composer.point(asked.overrides), asked)
        except (UserError, HydraException) as error:
            self._invalid[" ".join(varied)] = str(error)
            log.warning("%s cannot be: %s", " ".join(varied), error)
            return None

    def _measured(self, status: Status) -> list[float] | None:
        complete = status.state == "done" and all(name in status.means for name in self._goals)
        return [status.means[name] for name in self._goals] if complete else None


def unmeasured(names: Sequence[str], profile: Profile | None) -> Problem | None:
    """The problem where the evaluation does not measure the objectives."""
    there = list(profile.metrics) if profile else []
    missing = [name for name in names if name not in there]
    if names and not missing:
        return None
    remedy = f"choose among those of this evaluation: {', '.join(there)}" if there else "add evaluation=quick"
    return Problem("sweep.objectives", list(names), f"a search goes by metrics of the evaluation; {remedy}.")


def run_trials(trials: Trials, values: Values, search: Search) -> None:
    """Until `search.n_trials` are finished, or too many have failed."""
    left, in_a_row = search.n_trials - trials.finished, 0
    while left > 0:
        chosen = [trials.ask() for _ in range(min(search.n_jobs, left))]
        left -= len(chosen)
        for trial, found in zip(chosen, values([trial.params for trial in chosen]), strict=True):
            trials.tell(trial, found)
            in_a_row = 0 if found else in_a_row + 1
        if in_a_row >= search.failures_in_a_row:
            log.warning("The last %d trials failed: the search ends here.", in_a_row)
            return


def _checked_space(given: Sequence[Override]) -> Space:
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
