"""Hydra's launchers. Hydra imports all of this namespace at every start, so the launchers themselves, in
imprint.launchers and imprint.batched_runs, are imported when a sweep is set up."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from imprint.startup import imported_with_extra


class _LazyLauncher(Launcher):
    """Takes its settings from `hydra.launcher`."""

    module: str
    name: str
    extra: str  # of imprint-diffusion, without which the module cannot be imported

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self._launcher: Launcher | None = None

    def setup(self, **given: Any) -> None:
        """Raises UserError where the extra is not installed."""
        module = imported_with_extra(self.module, extra=self.extra, key="hydra/launcher")
        self._launcher = getattr(module, self.name)(**self.settings)
        self._launcher.setup(**given)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        assert self._launcher is not None
        returns: Sequence[JobReturn] = self._launcher.launch(job_overrides, initial_job_idx)
        return returns


class ProcessesLauncher(_LazyLauncher):
    """Several processes of this machine."""

    module, name, extra = "imprint.launchers.processes", "Processes", "joblib"


class LocalJobsLauncher(_LazyLauncher):
    """Processes of this machine in place of a cluster's jobs."""

    module, name, extra = "imprint.launchers.cluster", "LocalJobs", "slurm"


class SlurmLauncher(_LazyLauncher):
    """Jobs of a SLURM cluster."""

    module, name, extra = "imprint.launchers.cluster", "SlurmJobs", "slurm"


class StackedLauncher(_LazyLauncher):
    """Points side by side in this process."""

    module, name, extra = "imprint.batched_runs.launcher", "Stacked", ""

    @property
    def composer(self) -> Any:
        """The sweeper composes its points with it, too."""
        assert self._launcher is not None
        return self._launcher.composer

    def launch_prepared(self, points: Sequence[Any], initial_job_idx: int) -> Sequence[JobReturn]:
        """In place of `launch`, for a sweeper that has prepared the points."""
        assert self._launcher is not None
        returns: Sequence[JobReturn] = self._launcher.launch_prepared(points, initial_job_idx)
        return returns

    def forecast(self, plans: Sequence[Any], names: Sequence[str]) -> Sequence[str]:
        assert self._launcher is not None
        lines: Sequence[str] = self._launcher.forecast(plans, names)
        return lines
