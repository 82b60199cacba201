"""Launches points as jobs through submitit: on a SLURM cluster, or as processes of this machine in their place.

A job that is killed, or lost by the cluster, is a point that failed: the others are waited for.
"""

import logging
import os
import shutil
import stat
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import OmegaConf
from submitit import AutoExecutor, Job
from submitit.core.utils import FailedJobError, UncompletedJobError

from imprint.errors import UserError
from imprint.launchers.job_return import lost_job, picklable
from imprint.libraries.submitit_launcher import (
    SETTINGS_OF_ALL,
    LocalLauncher,
    SlurmLauncher,
    arguments_of_job,
    executor_kind,
)
from imprint.process_folder import end_with, own_folder

log = logging.getLogger(__name__)

Overrides = Sequence[str]


class _Jobs:
    """In place of the plugin's `launch`, which ends with the first job that is lost."""

    config: Any
    hydra_context: Any

    def __call__(self, *args: Any, **kwargs: Any) -> JobReturn:
        return picklable(super().__call__(*args, **kwargs))  # type: ignore[misc]

    def launch(self, job_overrides: Sequence[Overrides], initial_job_idx: int) -> Sequence[JobReturn]:
        points = [tuple(overrides) for overrides in job_overrides]
        jobs: dict[int, Job] = {}
        for numbers in self._by_settings(points):
            settings = self._settings(points[numbers[0]])
            calls = [arguments_of_job(points[number], initial_job_idx + number) for number in numbers]
            submitted = _executor(executor_kind(self), settings).map_array(self, *zip(*calls, strict=True))
            jobs.update(zip(numbers, submitted, strict=True))
        log.info("%d jobs; what they say is in %s.", len(jobs), jobs[0].paths.folder)
        try:
            return [_outcome(jobs[number], point) for number, point in enumerate(points)]
        except KeyboardInterrupt:
            self._interrupted(list(jobs.values()))
            raise

    def _by_settings(self, points: Sequence[tuple[str, ...]]) -> list[list[int]]:
        """The numbers of the points, grouped by the resources that they need from the cluster."""
        kinds: dict[Hashable, list[int]] = {}
        for number, point in enumerate(points):
            kinds.setdefault(repr(sorted(self._settings(point).items())), []).append(number)
        return list(kinds.values())

    def _settings(self, point: Overrides) -> dict[str, Any]:
        """`hydra.launcher` of this point: it may refer to keys that the point sets."""
        cfg = self.hydra_context.config_loader.load_sweep_config(self.config, list(point))
        settings = OmegaConf.to_container(cfg.hydra.launcher, resolve=True)
        assert isinstance(settings, dict)
        return {str(name): value for name, value in settings.items() if name != "_target_"}

    def _interrupted(self, jobs: Sequence[Job]) -> None:
        """Ends the jobs when their launcher is interrupted."""
        for job in jobs:
            job.cancel()


class LocalJobs(_Jobs, LocalLauncher):
    """Each point in a process of its own, all at the same time. submitit's processes outlive a launcher that is killed;
    these end with it."""

    _launcher_folder: Path

    def launch(self, job_overrides: Sequence[Overrides], initial_job_idx: int) -> Sequence[JobReturn]:
        self._launcher_folder = own_folder()
        return super().launch(job_overrides, initial_job_idx)

    def __call__(self, *args: Any, **kwargs: Any) -> JobReturn:
        end_with(self._launcher_folder)
        return super().__call__(*args, **kwargs)


class SlurmJobs(_Jobs, SlurmLauncher):
    """Each point as a job of an array."""

    def setup(self, **given: Any) -> None:
        if shutil.which("sbatch") is None:
            raise UserError(
                "hydra/launcher=slurm: this machine has no sbatch. Launch from one of the cluster's, or choose "
                "hydra/launcher=joblib for several processes here."
            )
        super().setup(**given)

    def _interrupted(self, jobs: Sequence[Job]) -> None:
        numbers = sorted({job.job_id.partition("_")[0] for job in jobs})
        log.warning(
            "\nThe cluster goes on with the jobs (squeue shows them; to end them: scancel %s).", " ".join(numbers)
        )


def _executor(kind: str, settings: dict[str, Any]) -> AutoExecutor:
    own = dict(settings)
    first = {"folder": os.path.abspath(own.pop("submitit_folder"))}
    os.makedirs(first["folder"], exist_ok=True)
    os.chmod(first["folder"], stat.S_IRWXU)  # jobs are given `setup` and the environment as they are, secrets too
    if "max_num_timeout" in own:
        first[f"{kind}_max_num_timeout"] = own.pop("max_num_timeout")
    executor = AutoExecutor(cluster=kind, **first)
    executor.update_parameters(**{name if name in SETTINGS_OF_ALL else f"{kind}_{name}": own[name] for name in own})
    return executor


def _outcome(job: Job, point: tuple[str, ...]) -> JobReturn:
    try:
        done: JobReturn = job.results()[0]
    except (FailedJobError, UncompletedJobError):
        return lost_job(point, f"its job {job.job_id} ended without a result ({job.state}); see {job.paths.stderr}.")
    return done
