"""What a search has tried and what it tries next: Optuna's study, kept in the sweep's folder."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from hydra.utils import instantiate
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, Trial, TrialState

from imprint.errors import UserError
from imprint.launching.space import Space
from imprint.libraries.optuna import enqueued_parameters

FILE = "search.db"  # optuna-dashboard sqlite:///<folder>/search.db
GOALS = "objectives"

Direction = Literal["minimize", "maximize"]


class Trials:
    """Those of one sweep. Raises UserError where the sweep's folder holds those of another search.

    Trials that were interrupted, or failed, come first again: their runs go on from their checkpoints.
    """

    def __init__(
        self, folder: Path, *, goals: Mapping[str, Direction], space: Space, sampler: Mapping[str, Any]
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self._space = space
        self._study = optuna.create_study(
            storage=f"sqlite:///{folder / FILE}",
            study_name=folder.name,
            directions=list(goals.values()),
            load_if_exists=True,
        )
        self._hold_to(dict(goals), folder)
        # A generator that began again with the same seed would propose what it has proposed before.
        own = {name: value for name, value in sampler.items() if value is not None}
        self._study.sampler = instantiate({**own, "seed": own["seed"] + len(self._study.trials)})
        self._take_up()

    @property
    def finished(self) -> int:
        return len(self._of(TrialState.COMPLETE))

    @property
    def best(self) -> list[FrozenTrial]:
        """The best, or those of which none is better than another in all objectives."""
        return list(self._study.best_trials) if self.finished else []

    def ask(self) -> Trial:
        try:
            return self._study.ask(self._space)
        except ValueError as error:  # the choices were others
            raise _another(self._study.study_name) from error

    def tell(self, trial: Trial, values: Sequence[float] | None) -> None:
        """None: it failed."""
        if values is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, list(values))

    def _hold_to(self, goals: dict[str, Direction], folder: Path) -> None:
        before = self._study.user_attrs.get(GOALS, goals)
        spaces = [trial.distributions for trial in self._study.trials if trial.distributions]
        if before != goals or any(space.keys() != self._space.keys() for space in spaces):
            raise _another(folder.name)
        self._study.set_user_attr(GOALS, goals)

    def _take_up(self) -> None:
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


def _another(name: str) -> UserError:
    return UserError(
        f"sweep.name={name}: the search of this name was another one, over other keys, choices or objectives. "
        "Choose another name."
    )
