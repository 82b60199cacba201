"""Launchers of sweeps. Only shells, as Hydra imports this at every start: see imprint.launchers."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from imprint.errors import UserError


class _Shell(Launcher):
    """Takes its settings from `hydra.launcher`."""

    module: str
    name: str
    extra: str  # of imprint-diffusion, without which the module cannot be imported

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self._launcher: Launcher | None = None

    def setup(self, **given: Any) -> None:
        """Raises UserError where the extra is not installed."""
        from imprint.startup import imported

        try:
            module = imported(self.module)
        except ImportError as error:
            raise UserError(
                f"hydra/launcher: this one needs {error.name}. pip install 'imprint-diffusion[{self.extra}]'"
            ) from error
        self._launcher = getattr(module, self.name)(**self.settings)
        self._launcher.setup(**given)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        assert self._launcher is not None
        returns: Sequence[JobReturn] = self._launcher.launch(job_overrides, initial_job_idx)
        return returns


class ProcessesLauncher(_Shell):
    """Several processes of this machine."""

    module, name, extra = "imprint.launchers.processes", "Processes", "joblib"


class LocalJobsLauncher(_Shell):
    """Processes of this machine in place of a cluster's jobs."""

    module, name, extra = "imprint.launchers.cluster", "LocalJobs", "slurm"


class SlurmLauncher(_Shell):
    """Jobs of a SLURM cluster."""

    module, name, extra = "imprint.launchers.cluster", "SlurmJobs", "slurm"


class StackedLauncher(_Shell):
    """Points side by side in this process."""

    module, name, extra = "imprint.batched_runs.launcher", "Stacked", ""

    @property
    def composer(self) -> Any:
        """By which the sweeper may compose its points, too."""
        assert self._launcher is not None
        return self._launcher.composer

    def launch_prepared(self, points: Sequence[Any], initial_job_idx: int) -> Sequence[JobReturn]:
        """In place of `launch`, by a sweeper that has prepared the points."""
        assert self._launcher is not None
        returns: Sequence[JobReturn] = self._launcher.launch_prepared(points, initial_job_idx)
        return returns

    def forecast(self, plans: Sequence[Any], names: Sequence[str]) -> Sequence[str]:
        assert self._launcher is not None
        lines: Sequence[str] = self._launcher.forecast(plans, names)
        return lines
