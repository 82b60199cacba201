"""Optuna's trials that have not begun. Tested with optuna 5.0.0."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def enqueued_parameters(trial: "FrozenTrial") -> dict[str, Any]:
    """The parameters given to `Study.enqueue_trial`. Until the trial begins, only its system attributes hold them."""
    return dict(trial.system_attrs.get("fixed_params", {}))
