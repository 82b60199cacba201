"""Hydra's submitit plugin, of which `launch` is replaced, but not the job. Tested with hydra-submitit-launcher
1.2.0."""

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
    """submitit's name of its executor, which is a private attribute of the plugin's class."""
    return str(launcher._EXECUTOR)


def arguments_of_job(overrides: Sequence[str], number: int) -> tuple[Any, ...]:
    """The arguments of the launcher's `__call__`, which is the job. The plugin builds them inside its `launch`."""
    return list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", singleton_state()
