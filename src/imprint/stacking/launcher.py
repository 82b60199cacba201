"""A launcher that trains the points of a sweep side by side, as far as they can be."""

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from hydra.core.utils import JobReturn, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from imprint.build import Plan, prepare
from imprint.composing import Composer
from imprint.config import without_hydra
from imprint.errors import ConfigError, Problem
from imprint.libraries.hydra import current_configuration
from imprint.stacking.group import Group
from imprint.stacking.grouping import groups, told
from imprint.stacking.in_turn import InTurn

log = logging.getLogger(__name__)


class _Job(NamedTuple):
    """A point as Hydra knows it. `plan` is None where the point cannot be prepared: then it is launched to say why."""

    config: DictConfig
    cfg: DictConfig
    plan: Plan | None


class Stacked:
    """Hydra's interface of launchers. Each point is launched, in the order of the groups, when its group has been
    trained: it then finds itself finished, is scored and returns what it returns alone; one that failed fails. One
    that cannot be trained beside others is trained on its own before, or, if it takes programs of its own, at that
    moment."""

    def __init__(self, *, max_points: int | None) -> None:
        if max_points is not None and (not isinstance(max_points, int) or max_points < 1):
            remedy = "give the largest number of points to train at once, or null: as many as memory allows."
            raise ConfigError([Problem("hydra.launcher.max_points", max_points, remedy)])
        self._max_points = max_points
        self._context: HydraContext
        self._task: TaskFunction
        self._config: DictConfig

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context = hydra_context
        self._task = task_function
        self._config = config

    def foretold(self, plans: Sequence[Plan], names: Sequence[str]) -> list[str]:
        """Which points will be trained together, and why others will not."""
        return told(groups(plans, self._max_points), names)

    @cached_property
    def composer(self) -> Composer:
        """Of the sweep's points; whoever else composes them may do it by this one, which keeps what they share."""
        return Composer(self._context, self._config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        jobs = [self._job(point, initial_job_idx + number) for number, point in enumerate(job_overrides)]
        returned: dict[int, JobReturn] = {}
        in_turn = InTurn()
        for points, _ in groups([job.plan for job in jobs], self._max_points):
            ended = self._trained([jobs[point] for point in points], in_turn)
            returned |= {point: self._launched(jobs[point], error) for point, error in zip(points, ended, strict=True)}
        return [returned[number] for number in range(len(jobs))]

    def _trained(self, jobs: Sequence[_Job], in_turn: InTurn) -> list[BaseException | None]:
        """What ended each early."""
        if len(jobs) > 1:
            log.info("%d points side by side", len(jobs))
            group = Group([(job.plan, job.cfg) for job in jobs if job.plan is not None])
            ended = group.train()
            group.exhibit()
            return ended
        [job] = jobs
        if job.plan is None or job.plan.run.status == "finished" or job.plan.parts.trainer.world_size > 1:
            return [None]
        return [in_turn.train(job.plan, job.cfg)]

    def _job(self, overrides: Sequence[str], number: int) -> _Job:
        config = self.composer.whole(overrides, number=number)
        with current_configuration(config):
            try:
                cfg = without_hydra(self.composer.whole(overrides, number=number))
                return _Job(config, cfg, None if cfg.get("dry_run") else prepare(cfg))
            except Exception:  # it is raised again when the point is launched
                return _Job(config, config, None)

    def _launched(self, job: _Job, error: BaseException | None) -> JobReturn:
        def fail(_: Any) -> Any:
            assert error is not None
            raise error

        returned = run_job(
            task_function=self._task if error is None else fail,
            config=job.config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=self._context,
        )
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        return returned
