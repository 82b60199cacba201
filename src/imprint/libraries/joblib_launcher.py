"""Hydra's joblib plugin, of which `launch` is replaced, but not the job. Tested with hydra-joblib-launcher 1.2.0 and
joblib 1.6.0."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra_plugins.hydra_joblib_launcher._core import execute_job
from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher
from joblib.externals.loky.process_executor import TerminatedWorkerError

from imprint.libraries.hydra import singleton_state

__all__ = ["JoblibLauncher", "TerminatedWorkerError", "arguments_of_job", "run_job"]


def arguments_of_job(launcher: JoblibLauncher, number: int, overrides: Sequence[str]) -> dict[str, Any]:
    """The arguments of `run_job`, for a launcher that has been set up. The plugin builds them inside its `launch`."""
    return {
        "idx": number,
        "overrides": overrides,
        "hydra_context": launcher.hydra_context,
        "config": launcher.config,
        "task_function": launcher.task_function,
        "singleton_state": singleton_state(),
    }


def run_job(**arguments: Any) -> JobReturn:
    """Runs one job in a process of the plugin's, whose function for it is private."""
    return execute_job(**arguments)
