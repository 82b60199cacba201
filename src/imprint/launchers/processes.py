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
        for devices, own in self._by_devices(points).items():
            done |= self._launched(own, devices)
        return [done[number] for number in points]

    def _launched(self, points: Points, devices: int) -> dict[int, JobReturn]:
        """Points that each want so many devices."""
        done: dict[int, JobReturn] = {}
        if self._at_a_time(devices) > 1:
            try:
                for number, outcome in self._run(points, devices):
                    done[number] = outcome
            except TerminatedWorkerError:
                log.warning("A process was killed, perhaps for want of memory. What is left runs one at a time.")
        for number in points.keys() - done.keys():
            try:
                done |= dict(self._run({number: points[number]}, devices))
            except TerminatedWorkerError:
                done[number] = lost_job(points[number], KILLED)
        return done

    def _by_devices(self, points: Points) -> dict[int, dict[int, tuple[str, ...]]]:
        """The points by the number of devices that each is to have. A process keeps its devices as long as it lives, so
        points that want another number wait for new processes."""
        known: dict[tuple[str, ...], int] = {}
        kinds: dict[int, dict[int, tuple[str, ...]]] = {}
        for number, overrides in points.items():
            choices = tuple(filter(_may_say_devices, overrides))
            if choices not in known:
                known[choices] = self._devices(choices)
            kinds.setdefault(known[choices], {})[number] = overrides
        return kinds

    def _devices(self, overrides: Sequence[str]) -> int:
        cfg = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        devices = OmegaConf.select(cfg, "trainer.devices", default=1)
        return devices if isinstance(devices, int) else 1

    def _at_a_time(self, devices: int) -> int:
        """Points that want several devices share none: a device that one of them fills has no room for another."""
        import torch

        here = len(visible_devices(os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count()))
        return self.n_jobs if devices == 1 or not here else max(1, min(self.n_jobs, here // devices))

    def _run(self, points: Points, devices: int) -> Iterator[tuple[int, JobReturn]]:
        """Each with its number, as they end. At least two processes, since joblib runs a single job in this one."""
        place, at_a_time = own_folder(), self._at_a_time(devices)
        parallel = Parallel(
            n_jobs=max(at_a_time, 2),
            backend="loky",
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="n_jobs",
            initializer=_begin,  # joblib's processes outlive a launcher that is killed, with a model in memory
            initargs=(place, devices),  # others than before: joblib makes new processes, which have no devices yet
        )
        work = (
            delayed(_execute)(place, at_a_time, devices, **arguments_of_job(self, number, overrides))
            for number, overrides in points.items()
        )
        with closing(parallel(work)) as outcomes:
            yield from outcomes


def _may_say_devices(override: str) -> bool:
    """Whether it is one of the trainer's settings, or the choice of a file, which may have some in it."""
    key = override.partition("=")[0].lstrip("+~")
    return "." not in key or key.startswith("trainer.")


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


def _begin(place: Path, devices: int) -> None:
    """In a worker process, which takes points that want so many devices."""
    end_with(place)


def _execute(claims: Path, places: int, devices: int, **job: Any) -> tuple[int, JobReturn]:
    """In a worker process."""
    take_devices(claims, places=places, each=devices)
    return job["idx"], picklable(run_job(**job))
