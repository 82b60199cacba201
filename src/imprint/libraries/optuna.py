"""What Optuna's study knows of trials that have not begun. Seen with optuna 5.0.0."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def enqueued_parameters(trial: "FrozenTrial") -> dict[str, Any]:
    """What `Study.enqueue_trial` was given. Until the trial begins, it lies among Optuna's own notes alone."""
    return dict(trial.system_attrs.get("fixed_params", {}))
