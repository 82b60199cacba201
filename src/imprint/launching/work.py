"""How much there is to do for a run."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Work(NamedTuple):
    samples: int  # of the subject, seen in training
    kind: tuple[str, ...]  # method, model, prior: runs that have these in common cost alike, sample for sample
    profile: str | None  # that it is scored by


def work_of(config: Mapping[str, Any], content: Mapping[str, Any]) -> Work:
    """Of a run's configuration, and of the hashes that its identity has in place of locations."""
    hparams, evaluation = config["hparams"], config.get("evaluation")
    return Work(
        samples=hparams["steps"] * hparams["batch_size"],
        kind=(config["method"]["_target_"], content["model"], config["prior"]["_target_"]),
        profile=evaluation["name"] if evaluation else None,
    )
