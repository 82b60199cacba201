"""Hydra's submitit plugin, whose `launch` is replaced and whose job is not. Seen with hydra-submitit-launcher 1.2.0."""

from collections.abc import Sequence
from typing import Any

from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import (
    BaseSubmititLauncher,
    LocalLauncher,
    SlurmLauncher,
)
from omegaconf import OmegaConf

from imprint.libraries.hydra import singleton_state

__all__ = ["SETTINGS_OF_ALL", "LocalLauncher", "SlurmLauncher", "arguments_of_job", "executor_kind"]

# Settings that all kinds of jobs have; the rest is SLURM's own, and submitit wants it with SLURM's prefix.
SETTINGS_OF_ALL = frozenset(OmegaConf.structured(BaseQueueConf))


def executor_kind(launcher: BaseSubmititLauncher) -> str:
    """submitit's name for where the jobs run. The plugin has it in a private attribute of the class."""
    return str(launcher._EXECUTOR)


def arguments_of_job(overrides: Sequence[str], number: int) -> tuple[Any, ...]:
    """Of the launcher's `__call__`, which is the job. The plugin puts them together inside its `launch` alone."""
    return list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", singleton_state()
