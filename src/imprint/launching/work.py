"""How much there is to do for a run."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from imprint.kinds import name_of


class Work(NamedTuple):
    samples: int  # of the subject, seen in training
    kind: tuple[str, ...]  # method, model, prior: runs that have these in common cost alike, sample for sample
    profile: str | None  # that it is scored by


def work_of(config: Mapping[str, Any], model: str) -> Work:
    """Of a run's configuration, and of the hash of its model."""
    hparams, evaluation = config["hparams"], config.get("evaluation")
    return Work(
        samples=hparams["steps"] * hparams["batch_size"],
        kind=(name_of(config["method"]), model, name_of(config["prior"])),
        profile=evaluation["name"] if evaluation else None,
    )
