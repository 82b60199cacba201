"""Runs that are trained together in this process. Each is in its own folder what it would be alone."""

import copy
import dataclasses
from collections.abc import Sequence
from functools import cached_property, partial

import torch
from omegaconf import DictConfig

from imprint.batched_runs.batched_evaluation import BatchedEvaluation
from imprint.batched_runs.batched_module import BatchedTrainingModule
from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.ensemble import Ensemble, share_weights, sharing_copy
from imprint.batched_runs.pass_scheduler import run_together
from imprint.batched_runs.requests import Ready
from imprint.fitting import carry_out
from imprint.models.base import Model
from imprint.models.loading import whole_on
from imprint.planning.assemble import attach, task_of
from imprint.planning.parts import Plan
from imprint.training.encoding import CaptionCache, LatentCache


class BatchedTraining:
    """`points` are the plans of a group (see `grouping`), each with the configuration that it was prepared from."""

    def __init__(self, points: Sequence[tuple[Plan, DictConfig]]) -> None:
        self._points = [(_without_progress_bar(plan), cfg) for plan, cfg in points]
        self._models: dict[int, Model] = {}
        self._latents = LatentCache()
        self._captions = CaptionCache()

    def train(self) -> list[BaseException | None]:
        """What ended each early, or None. Raises KeyboardInterrupt when asked to stop: all continue from their
        checkpoints when they are trained again, together or alone."""
        coroutines = {
            point: Coroutine(plan.run.folder.name, partial(self._train_point, point, plan, cfg))
            for point, (plan, cfg) in enumerate(self._points)
        }
        run_together(coroutines, self._ensemble, self._device)
        return [coroutine.error for coroutine in coroutines.values()]

    def evaluate(self) -> None:
        """Generates the missing pictures for the evaluations of the finished points, and encodes them. What fails here
        is reported when the point is scored."""
        plans = [plan for plan, _ in self._points if plan.run.status == "finished" and _draws_in_float32(plan)]
        if plans:
            BatchedEvaluation(plans, self._untuned).view()

    def _train_point(self, point: int, plan: Plan, cfg: DictConfig, coroutine: Coroutine) -> None:
        """In the point's own thread."""
        try:
            carry_out(plan, cfg, lambda plan: self._assemble(point, plan, coroutine))
        finally:
            self._models.pop(point, None)

    def _assemble(self, point: int, plan: Plan, coroutine: Coroutine) -> BatchedTrainingModule:
        model = sharing_copy(self._base)
        attached = attach(plan, model)
        share_weights(model, self._base)
        if attached.teacher is not None:
            attached.teacher.denoiser = self._base.roles["denoiser"]
        self._models[point] = model
        plan.run.note({"side_by_side": len(self._points)})
        # Training casts the weights to less precision; whatever is generated or attached comes before.
        coroutine.request(Ready())
        task = task_of(plan, model, attached)
        return BatchedTrainingModule(
            model, task, request=coroutine.request, latents=self._latents, captions=self._captions
        )

    def _ensemble(self, points: Sequence[int]) -> Ensemble:
        return Ensemble(self._base, {point: self._models[point] for point in points})

    @cached_property
    def _base(self) -> Model:
        """Never changed but for the precision of its weights."""
        plan, _ = self._points[0]
        return plan.parts.model.load_as(whole_on(self._device))

    @property
    def _untuned(self) -> Model:
        """In the precision in which it was loaded."""
        plan, _ = self._points[0]
        exact = plan.parts.hparams.precision == "32"
        return self._base if exact else plan.parts.model.load_as(whole_on(self._device))

    @property
    def _device(self) -> torch.device:
        plan, _ = self._points[0]
        return plan.parts.trainer.own_device


def _draws_in_float32(plan: Plan) -> bool:
    """Whether its evaluation draws with such weights, as those are that the points share."""
    profile = plan.parts.evaluation
    return profile is not None and profile.precision != "bf16"


def _without_progress_bar(plan: Plan) -> Plan:
    """The points share one terminal."""
    report = copy.copy(plan.parts.report)
    report.progress = "off"
    return dataclasses.replace(plan, parts=dataclasses.replace(plan.parts, report=report))
