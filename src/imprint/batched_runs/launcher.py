"""A launcher that trains the points of a sweep in one batch, as far as they can be, and the others in sequence."""

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from hydra.core.utils import JobReturn, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from imprint.batched_runs.batched_training import BatchedTraining
from imprint.batched_runs.grouping import describe, groups
from imprint.batched_runs.sequential_training import SequentialTraining
from imprint.composing import Composer
from imprint.errors import ConfigError, Problem
from imprint.fitting import train_and_score
from imprint.planning.parts import Plan, Prepared
from imprint.planning.prepare import prepare
from imprint.scoring.score import objective_of

log = logging.getLogger(__name__)


class Stacked:
    """Hydra's interface of launchers. A group is trained first; then each of its points becomes Hydra's job, which
    scores it and returns what a run alone returns, or raises what ended it early. A point that needs processes of its
    own is trained within its job."""

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

    def forecast(self, plans: Sequence[Plan], names: Sequence[str]) -> list[str]:
        """Which points will be trained together, and why others will not."""
        return describe(groups(plans, self._max_points), names)

    @cached_property
    def composer(self) -> Composer:
        """Composes the sweep's points. The sweeper uses it, too, since it keeps what they have in common."""
        return Composer(self._context, self._config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return self.launch_prepared([self._prepare(point) for point in job_overrides], initial_job_idx)

    def launch_prepared(self, points: Sequence[Prepared], initial_job_idx: int) -> Sequence[JobReturn]:
        """As `launch`, of points that the sweeper has prepared."""
        setup_globals()
        returned: dict[int, JobReturn] = {}
        sequential = SequentialTraining()
        for group, _ in groups([point.plan for point in points], self._max_points):
            own = [points[number] for number in group]
            left = [point.plan is not None and point.plan.run.status != "finished" for point in own]
            for number, error, is_new in zip(group, self._train(own, sequential), left, strict=True):
                returned[number] = self._as_job(points[number], initial_job_idx + number, error, is_new=is_new)
        return [returned[number] for number in range(len(points))]

    def _train(self, points: Sequence[Prepared], sequential: SequentialTraining) -> list[BaseException | None]:
        """What ended each early."""
        if len(points) > 1:
            log.info("%d points side by side", len(points))
            training = BatchedTraining([(point.plan, point.cfg) for point in points if point.plan is not None])
            errors = training.train()
            training.evaluate()
            return errors
        [(_, cfg, plan)] = points
        if plan is None or plan.run.status == "finished":
            return [None]
        if plan.parts.trainer.world_size > 1 or plan.parts.trainer.shards:
            return [None]
        return [sequential.train(plan, cfg)]

    def _prepare(self, overrides: Sequence[str]) -> Prepared:
        cfg = self.composer.point(overrides)
        try:
            return Prepared(overrides, cfg, None if cfg.get("dry_run") else prepare(cfg))
        except Exception:  # it is raised again when the point is launched
            return Prepared(overrides, cfg, None)

    def _as_job(self, point: Prepared, number: int, error: BaseException | None, *, is_new: bool) -> JobReturn:
        """Scores a trained point as Hydra's job of this number; trains it, too, if that has not been tried."""

        def score(_: Any) -> Any:
            assert point.plan is not None
            if error is not None:
                raise error
            train_and_score(point.plan, point.cfg, trained_now=is_new)
            return objective_of(point.plan)

        returned = run_job(
            task_function=self._task if point.plan is None else score,
            config=self.composer.whole(point.overrides, number=number),
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=self._context,
        )
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        return returned
