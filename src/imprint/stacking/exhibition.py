"""The pictures by which finished runs are scored, drawn side by side and seen together."""

import logging
from collections.abc import Sequence
from functools import partial

from imprint.build import Plan
from imprint.build.galleries import draw, galleries, lacking_of
from imprint.build.judged import open_judged
from imprint.build.viewing import Shown, view
from imprint.families.base import Family
from imprint.stacking.conductor import Conductor
from imprint.stacking.elsewhere import drawing_elsewhere
from imprint.stacking.ensemble import Ensemble
from imprint.stacking.requests import Meeting
from imprint.stacking.room import Room, tidy
from imprint.stacking.routines import Routine
from imprint.stacking.sharing import share_weights, sharing_copy
from imprint.stacking.stopping import heard

log = logging.getLogger(__name__)


class Exhibition:
    """Of runs that `base` was the model of. Each draws into its own galleries, so that none waits for another."""

    def __init__(self, plans: Sequence[Plan], base: Family) -> None:
        self._plans = plans
        self._base = base
        self._families: dict[int, Family] = {}
        self._shown: list[Shown] = []

    def view(self) -> None:
        """Draws what is not there, and has the encoders see all of it. What cannot be seen, or not beside this network,
        is seen when its run is scored. Raises KeyboardInterrupt when asked to stop; what is drawn by then stays."""
        self._draw()
        try:
            view(self._shown)
        except Exception as error:
            log.warning("Not all pictures could be seen together; each run's are when it is scored. %s", error)
            tidy()

    def _draw(self) -> None:
        routines = {
            point: Routine(plan.run.folder.name, partial(self._paint, point, plan))
            for point, plan in enumerate(self._plans)
        }
        room = Room(self._plans[0].parts.trainer.own_device)
        with heard() as stop:
            Conductor(routines, self._together, room, first=1).conduct(stop)
        if stop.is_asked:
            raise KeyboardInterrupt
        for routine in routines.values():
            if routine.error is not None:
                log.warning("%s could not draw beside others, and draws alone: %s", routine.name, routine.error)

    def _paint(self, point: int, plan: Plan, routine: Routine) -> None:
        """In the point's own thread."""
        profile, device = plan.parts.evaluation, plan.parts.trainer.own_device
        assert profile is not None
        subjects = open_judged(
            plan.run, profile, encoders=plan.parts.model.encoders, class_photos=(), scale={}, device=device
        )
        shown = [Shown(judged, profile, galleries(judged, profile)) for judged in subjects]
        self._shown += shown
        lacking = lacking_of([(judged, found) for judged, _, found in shown], tuned=True)
        if not lacking:
            return
        family = sharing_copy(self._base)
        subjects[0].source.method.load(family, plan.run.result, scale={})
        share_weights(family, self._base)
        self._families[point] = family
        routine.ask(Meeting())
        try:
            with drawing_elsewhere(family, routine.ask):
                draw(lacking, family, profile, device)
        finally:
            del self._families[point]

    def _together(self, points: Sequence[int]) -> Ensemble:
        return Ensemble(self._base, {point: self._families[point] for point in points})
