"""Several runs trained together in this process. Each is in its own folder what it is alone."""

import copy
import dataclasses
from collections.abc import Sequence
from functools import cached_property, partial

import torch
from omegaconf import DictConfig

from imprint.build import Plan
from imprint.build.assemble import attach, lesson_of
from imprint.families.base import Family
from imprint.fitting import carry_out
from imprint.stacking.conductor import Conductor
from imprint.stacking.ensemble import Ensemble
from imprint.stacking.exhibition import Exhibition
from imprint.stacking.module import SideBySide
from imprint.stacking.requests import Meeting
from imprint.stacking.room import Room
from imprint.stacking.routines import Routine
from imprint.stacking.sharing import share_weights, sharing_copy
from imprint.stacking.stopping import heard
from imprint.training.conditioning import CaptionCache
from imprint.training.latents import LatentCache


class Group:
    """`points` are plans that `groups` found alike, and what each was prepared from."""

    def __init__(self, points: Sequence[tuple[Plan, DictConfig]]) -> None:
        self._points = [(_quiet(plan), cfg) for plan, cfg in points]
        self._families: dict[int, Family] = {}
        self._latents = LatentCache()
        self._captions = CaptionCache()

    def train(self) -> list[BaseException | None]:
        """What ended each early, or None. Raises KeyboardInterrupt when asked to stop: all go on from their checkpoints
        when they are trained again, together or alone."""
        routines = {
            point: Routine(plan.run.folder.name, partial(self._live, point, plan, cfg))
            for point, (plan, cfg) in enumerate(self._points)
        }
        with heard() as stop:
            Conductor(routines, self._together, Room(self._device), first=1).conduct(stop)
        if stop.is_asked:
            raise KeyboardInterrupt
        return [routine.error for routine in routines.values()]

    def exhibit(self) -> None:
        """Draws what the evaluations of its points ask for of their results, as far as it is not there, and shows it to
        the encoders. What cannot be drawn is told of when a point is scored."""
        plans = [
            plan for plan, _ in self._points if plan.run.status == "finished" and plan.parts.evaluation is not None
        ]
        if plans:
            Exhibition(plans, self._untuned).view()

    def _live(self, point: int, plan: Plan, cfg: DictConfig, routine: Routine) -> None:
        """In the point's own thread."""
        try:
            carry_out(plan, cfg, lambda plan: self._assemble(point, plan, routine))
        finally:
            self._families.pop(point, None)

    def _assemble(self, point: int, plan: Plan, routine: Routine) -> SideBySide:
        family = sharing_copy(self._base)
        attached = attach(plan, family)
        share_weights(family, self._base)
        if attached.teacher is not None:
            attached.teacher.denoiser = self._base.roles["denoiser"]
        self._families[point] = family
        plan.run.note({"side_by_side": len(self._points)})
        # Weights become less precise when training begins; whatever is drawn or attached comes before.
        routine.ask(Meeting())
        lesson = lesson_of(plan, family, attached)
        return SideBySide(family, lesson, ask=routine.ask, latents=self._latents, captions=self._captions)

    def _together(self, points: Sequence[int]) -> Ensemble:
        return Ensemble(self._base, {point: self._families[point] for point in points})

    @cached_property
    def _base(self) -> Family:
        """Nothing is ever put into it."""
        plan, _ = self._points[0]
        return plan.parts.model.load().to(self._device)

    @property
    def _untuned(self) -> Family:
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
