"""Launches points in several processes of this machine, through joblib.

A process that is killed takes its neighbours with it, and does not say which point it was at. So the points that are
left then run one at a time: that shows which one it is and, if memory was the reason, gives each of them all of it.
"""

import logging
import os
import shutil
import tempfile
import threading
import time
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

log = logging.getLogger(__name__)

WATCHER = "launcher-watcher"  # a thread
INTERVAL = 1.0  # seconds between two checks that the launcher is still there
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
        with tempfile.TemporaryDirectory(prefix="imprint-devices-") as claims:
            if self.n_jobs > 1:
                try:
                    for number, outcome in self._run(points, Path(claims)):
                        done[number] = outcome
                except TerminatedWorkerError:
                    log.warning("A process was killed, perhaps for want of memory. What is left runs one at a time.")
            for number in points.keys() - done.keys():
                try:
                    done |= dict(self._run({number: points[number]}, Path(claims)))
                except TerminatedWorkerError:
                    done[number] = lost_job(points[number], KILLED)
        return [done[number] for number in points]

    def _run(self, points: Points, claims: Path) -> Iterator[tuple[int, JobReturn]]:
        """Each with its number, as they end. At least two processes, since joblib runs a single job in this one."""
        parallel = Parallel(
            n_jobs=max(self.n_jobs, 2),
            backend="loky",
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="n_jobs",
        )
        work = (
            delayed(_execute)(os.getpid(), claims, self.n_jobs, **arguments_of_job(self, number, overrides))
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


def _execute(launcher: int, claims: Path, places: int, **job: Any) -> tuple[int, JobReturn]:
    """In a worker process. `launcher` is the id of the process that started it."""
    _end_with_launcher(launcher, claims)
    each = OmegaConf.select(job["config"], "trainer.devices", default=1)
    take_devices(claims, places=places, each=each)
    return job["idx"], picklable(run_job(**job))


def _end_with_launcher(launcher: int, claims: Path) -> None:
    """joblib's processes outlive a launcher that is killed, with a model in memory. These end as if they were killed,
    too, and remove `claims`, which the launcher cannot: their points continue from their checkpoints."""

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(INTERVAL)
        shutil.rmtree(claims, ignore_errors=True)
        os._exit(1)

    if WATCHER not in (thread.name for thread in threading.enumerate()):  # by an earlier point
        threading.Thread(target=watch, name=WATCHER, daemon=True).start()
