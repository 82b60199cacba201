"""A search: a sweep whose points are chosen one after another, by how good those before are."""

import hashlib
import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, get_args

from filelock import FileLock, Timeout
from hydra.core.override_parser.types import Override
from hydra.plugins.launcher import Launcher

from imprint.build import Parts, prepare
from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, RunBusy, UserError
from imprint.launching.axes import LONGEST_NAME
from imprint.launching.grid import own_settings
from imprint.launching.objectives import unmeasured
from imprint.launching.space import Space, described, one_of, space_of
from imprint.launching.trials import Direction, Trials
from imprint.launching.trying import Attempts
from imprint.locations import locate
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
            command=shlex.join(["imprint", "train", "-m", *arguments, *composer.of_hydra]),
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
