"""The search space, read from the command's sweep overrides, and the trials so far: an Optuna study in the sweep's
folder."""

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import optuna
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.utils import instantiate
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, Trial, TrialState

from imprint.errors import UserError
from imprint.libraries.optuna import enqueued_parameters

FILE = "search.db"  # optuna-dashboard sqlite:///<folder>/search.db
GOALS = "objectives"

Direction = Literal["minimize", "maximize"]
Space = dict[str, BaseDistribution]


class Trials:
    """Of one sweep. Raises UserError where the sweep's folder holds the study of another search. `said` is the setting
    that names the folder.

    Trials that were interrupted, or failed, come first again: their runs go on from their checkpoints.
    """

    def __init__(
        self, folder: Path, *, goals: Mapping[str, Direction], space: Space, sampler: Mapping[str, Any], said: str
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self._space = space
        self._said = said
        try:
            self._study = optuna.create_study(
                storage=f"sqlite:///{folder / FILE}",
                study_name=folder.name,
                directions=list(goals.values()),
                load_if_exists=True,
            )
        except Exception as error:  # of a damaged file, the libraries raise errors of many kinds
            remedy = "it is damaged, or no record of a search. Delete it: the search then begins anew"
            raise UserError(f"{folder / FILE}: {remedy}.") from error
        self._check_same_search(dict(goals))
        # With the same seed the sampler would propose the same trials again.
        own = {name: value for name, value in sampler.items() if value is not None}
        self._study.sampler = instantiate({**own, "seed": own["seed"] + len(self._study.trials)})
        self._requeue()

    @property
    def finished(self) -> int:
        return len(self._of(TrialState.COMPLETE))

    @property
    def finished_params(self) -> list[dict[str, Any]]:
        """What was chosen for those that are finished."""
        return [dict(trial.params) for trial in self._of(TrialState.COMPLETE)]

    @property
    def best(self) -> list[FrozenTrial]:
        """The best, or those of which none is better than another in all objectives."""
        return list(self._study.best_trials) if self.finished else []

    def ask(self) -> Trial:
        try:
            return self._study.ask(self._space)
        except ValueError as error:  # the choices have changed
            raise _other_search(self._said) from error

    def tell(self, trial: Trial, values: Sequence[float] | None) -> None:
        """None: it failed."""
        if values is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, list(values))

    def _check_same_search(self, goals: dict[str, Direction]) -> None:
        before = self._study.user_attrs.get(GOALS, goals)
        spaces = [trial.distributions for trial in self._study.trials if trial.distributions]
        if before != goals or any(space.keys() != self._space.keys() for space in spaces):
            raise _other_search(self._said)
        self._study.set_user_attr(GOALS, goals)

    def _requeue(self) -> None:
        for trial in self._of(TrialState.RUNNING):
            self._study.tell(trial.number, state=TrialState.FAIL)
        known = [trial.params for trial in self._of(TrialState.COMPLETE)]
        known += [enqueued_parameters(trial) for trial in self._of(TrialState.WAITING)]
        for trial in self._of(TrialState.FAIL):
            if trial.params and trial.params not in known:
                known.append(copy.copy(trial.params))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ExperimentalWarning)
                    self._study.enqueue_trial(trial.params)

    def _of(self, state: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(state,))


def space_of(given: Sequence[Override]) -> Space:
    """By key. Choices (a,b) are unordered, ranges and intervals ordered; `tag(log, ...)` is logarithmic."""
    return {override.get_key_element(): _distribution(override) for override in given if override.is_sweep_override()}


def example_of(space: Space) -> list[str]:
    """One point of it, as overrides."""
    return [f"{key}={_lowest(chosen)}" for key, chosen in space.items()]


def describe_space(space: Space) -> Iterator[str]:
    for key, chosen in space.items():
        if isinstance(chosen, CategoricalDistribution):
            yield f"{key}: {', '.join(str(choice) for choice in chosen.choices)}"
        elif isinstance(chosen, FloatDistribution | IntDistribution):
            how = ", by powers" if chosen.log else f", in steps of {chosen.step}" if chosen.step else ""
            yield f"{key}: {chosen.low} to {chosen.high}{how}"


def _other_search(said: str) -> UserError:
    return UserError(
        f"{said}: the search of this name was another one, over other keys, choices or objectives. Choose another name."
    )


def _distribution(override: Override) -> BaseDistribution:
    value = override.value()
    if isinstance(value, IntervalSweep):
        low, high, log = value.start, value.end, "log" in value.tags
        assert low is not None
        assert high is not None
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)
    if isinstance(value, RangeSweep) and not value.shuffle:
        count = len(list(override.sweep_iterator()))
        if count > 1 and value.step > 0:
            return _in_steps(value, count)
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _in_steps(value: RangeSweep, count: int) -> BaseDistribution:
    low, step = Decimal(str(value.start)), Decimal(str(value.step))
    high = low + (count - 1) * step  # the end that the command names is not among them
    if isinstance(value.start, int) and isinstance(value.step, int):
        return IntDistribution(int(low), int(high), step=int(step))
    return FloatDistribution(float(low), float(high), step=float(step))


def _lowest(chosen: BaseDistribution) -> object:
    if isinstance(chosen, CategoricalDistribution):
        return chosen.choices[0]
    assert isinstance(chosen, FloatDistribution | IntDistribution)
    return chosen.low
