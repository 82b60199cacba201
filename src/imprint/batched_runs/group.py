"""Several runs trained together in this process. Each is in its own folder what it is alone."""

import copy
import dataclasses
from collections.abc import Sequence
from functools import cached_property, partial

import torch
from omegaconf import DictConfig

from imprint.batched_runs.batched_evaluation import BatchedEvaluation
from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.ensemble import Ensemble
from imprint.batched_runs.memory_budget import MemoryBudget
from imprint.batched_runs.module import SideBySide
from imprint.batched_runs.pass_scheduler import PassScheduler
from imprint.batched_runs.requests import Ready
from imprint.batched_runs.shared_weights import share_weights, sharing_copy
from imprint.batched_runs.stopping import heard
from imprint.fitting import carry_out
from imprint.models.base import Model
from imprint.planning.assemble import attach, task_of
from imprint.planning.parts import Plan
from imprint.training.conditioning import CaptionCache
from imprint.training.latents import LatentCache


class Group:
    """`points` are plans that `groups` found alike, and what each was prepared from."""

    def __init__(self, points: Sequence[tuple[Plan, DictConfig]]) -> None:
        self._points = [(_quiet(plan), cfg) for plan, cfg in points]
        self._families: dict[int, Model] = {}
        self._latents = LatentCache()
        self._captions = CaptionCache()

    def train(self) -> list[BaseException | None]:
        """What ended each early, or None. Raises KeyboardInterrupt when asked to stop: all go on from their checkpoints
        when they are trained again, together or alone."""
        routines = {
            point: Coroutine(plan.run.folder.name, partial(self._live, point, plan, cfg))
            for point, (plan, cfg) in enumerate(self._points)
        }
        with heard() as stop:
            PassScheduler(routines, self._together, MemoryBudget(self._device), first=1).conduct(stop)
        if stop.is_asked:
            raise KeyboardInterrupt
        return [routine.error for routine in routines.values()]

    def evaluate_together(self) -> None:
        """Draws what the evaluations of its points ask for of their results, as far as it is not there, and shows it to
        the encoders. What cannot be drawn is told of when a point is scored."""
        plans = [
            plan for plan, _ in self._points if plan.run.status == "finished" and plan.parts.evaluation is not None
        ]
        if plans:
            BatchedEvaluation(plans, self._untuned).view()

    def _live(self, point: int, plan: Plan, cfg: DictConfig, routine: Coroutine) -> None:
        """In the point's own thread."""
        try:
            carry_out(plan, cfg, lambda plan: self._assemble(point, plan, routine))
        finally:
            self._families.pop(point, None)

    def _assemble(self, point: int, plan: Plan, routine: Coroutine) -> SideBySide:
        model = sharing_copy(self._base)
        attached = attach(plan, model)
        share_weights(model, self._base)
        if attached.teacher is not None:
            attached.teacher.denoiser = self._base.roles["denoiser"]
        self._families[point] = model
        plan.run.note({"side_by_side": len(self._points)})
        # Weights become less precise when training begins; whatever is drawn or attached comes before.
        routine.ask(Ready())
        task = task_of(plan, model, attached)
        return SideBySide(model, task, ask=routine.ask, latents=self._latents, captions=self._captions)

    def _together(self, points: Sequence[int]) -> Ensemble:
        return Ensemble(self._base, {point: self._families[point] for point in points})

    @cached_property
    def _base(self) -> Model:
        """Nothing is ever put into it."""
        plan, _ = self._points[0]
        return plan.parts.model.load().to(self._device)

    @property
    def _untuned(self) -> Model:
        """As it was loaded: training in less precision casts the weights."""
        plan, _ = self._points[0]
        return self._base if plan.parts.hparams.precision == "32" else plan.parts.model.load().to(self._device)

    @property
    def _device(self) -> torch.device:
        plan, _ = self._points[0]
        return plan.parts.trainer.own_device


def _quiet(plan: Plan) -> Plan:
    """Without a bar of its own: there is one terminal."""
    report = copy.copy(plan.parts.report)
    report.progress = "off"
    return dataclasses.replace(plan, parts=dataclasses.replace(plan.parts, report=report))
