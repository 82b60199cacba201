"""Launches points in several processes of this machine, through joblib.

A process that is killed takes its neighbours with it, and does not say which point it was at. So the points that are
left then run one at a time: that shows which one it is and, if memory was the reason, gives each of them all of it.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.utils import JobReturn
from joblib import Parallel, delayed
from omegaconf import OmegaConf

from imprint.errors import ConfigError, Problem
from imprint.launchers.job_return import lost_job, picklable
from imprint.libraries.joblib_launcher import JoblibLauncher, TerminatedWorkerError, arguments_of_job, run_job
from imprint.process_folder import end_with, own_folder

log = logging.getLogger(__name__)

KILLED = "its process was killed, perhaps for want of memory."
_held: list[FileLock] = []  # of GPUs, for as long as this process lives

Points = Mapping[int, tuple[str, ...]]  # overrides, by the number of the job


class Processes(JoblibLauncher):
    """In number of the plugin's `launch`, which ends with the first process that is killed."""

    def __init__(self, *, n_jobs: Any) -> None:
        """Raises ConfigError."""
        if not isinstance(n_jobs, int) or n_jobs < 1:
            remedy = "give the number of processes, 1 or more."
            raise ConfigError([Problem("hydra.launcher.n_jobs", n_jobs, remedy)])
        super().__init__(n_jobs=n_jobs)
        self.n_jobs = n_jobs

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        points = {initial_job_idx + number: tuple(overrides) for number, overrides in enumerate(job_overrides)}
        done: dict[int, JobReturn] = {}
        if self.n_jobs > 1:
            try:
                for number, outcome in self._run(points):
                    done[number] = outcome
            except TerminatedWorkerError:
                log.warning("A process was killed, perhaps for want of memory. What is left runs one at a time.")
        for number in points.keys() - done.keys():
            try:
                done |= dict(self._run({number: points[number]}))
            except TerminatedWorkerError:
                done[number] = lost_job(points[number], KILLED)
        return [done[number] for number in points]

    def _run(self, points: Points) -> Iterator[tuple[int, JobReturn]]:
        """Each with its number, as they end. At least two processes, since joblib runs a single job in this one."""
        place = own_folder()
        parallel = Parallel(
            n_jobs=max(self.n_jobs, 2),
            backend="loky",
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="n_jobs",
            initializer=end_with,  # joblib's processes outlive a launcher that is killed, with a model in memory
            initargs=(place,),
        )
        work = (
            delayed(_execute)(place, self.n_jobs, **arguments_of_job(self, number, overrides))
            for number, overrides in points.items()
        )
        with closing(parallel(work)) as outcomes:
            yield from outcomes


def take_devices(claims: Path, *, places: int, each: int) -> None:
    """Restricts this process to GPUs of its own, `each` of them, if it has not been before: it takes one of `places`
    that no living process holds. Must be called before CUDA is used. Changes nothing where there is no GPU."""
    if _held:
        return
    import torch

    visible = visible_devices(os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count())
    for place in range(places if visible else 0):
        lock = FileLock(claims / f"{place}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        _held.append(lock)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(share(visible, place, each))
        return


def visible_devices(named: str | None, count: int) -> list[str]:
    """What CUDA calls the `count` devices here, of which the environment has `named` some."""
    names = [name.strip() for name in named.split(",")] if named else [str(index) for index in range(count)]
    return names[:count]


def share(devices: Sequence[str], place: int, each: int) -> list[str]:
    """The `each` devices of a place. Places beyond the last device begin again with the first one."""
    whole = max(len(devices) // each, 1)
    first = place % whole * each
    return list(devices[first : first + each])


def _execute(claims: Path, places: int, **job: Any) -> tuple[int, JobReturn]:
    """In a worker process."""
    each = OmegaConf.select(job["config"], "trainer.devices", default=1)
    take_devices(claims, places=places, each=each)
    return job["idx"], picklable(run_job(**job))
