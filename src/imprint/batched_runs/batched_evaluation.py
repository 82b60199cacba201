"""The pictures by which finished runs are scored, drawn side by side and seen together."""

import logging
from collections.abc import Sequence
from functools import partial

from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.ensemble import Ensemble
from imprint.batched_runs.forward_proxy import drawing_by_proxy
from imprint.batched_runs.memory_budget import MemoryBudget, release_memory
from imprint.batched_runs.pass_scheduler import PassScheduler
from imprint.batched_runs.requests import Ready
from imprint.batched_runs.shared_weights import share_weights, sharing_copy
from imprint.batched_runs.stopping import heard
from imprint.models.base import Model
from imprint.planning.parts import Plan
from imprint.scoring.galleries import Galleries, encode_galleries, galleries_of, generate_galleries
from imprint.scoring.subject import open_subjects

log = logging.getLogger(__name__)


class BatchedEvaluation:
    """Of runs that `base` was the model of. Each draws into its own galleries, so that none waits for another."""

    def __init__(self, plans: Sequence[Plan], base: Model) -> None:
        self._plans = plans
        self._base = base
        self._families: dict[int, Model] = {}
        self._galleries: list[Galleries] = []

    def view(self) -> None:
        """Draws what is not there, and has the encoders see all of it. What cannot be seen, or not beside this network,
        is seen when its run is scored. Raises KeyboardInterrupt when asked to stop; what is drawn by then stays."""
        self._draw()
        try:
            encode_galleries(self._galleries)
        except Exception as error:
            log.warning("Not all pictures could be seen together; each run's are when it is scored. %s", error)
            release_memory()

    def _draw(self) -> None:
        routines = {
            point: Coroutine(plan.run.folder.name, partial(self._paint, point, plan))
            for point, plan in enumerate(self._plans)
        }
        room = MemoryBudget(self._plans[0].parts.trainer.own_device)
        with heard() as stop:
            PassScheduler(routines, self._together, room, first=1).conduct(stop)
        if stop.is_asked:
            raise KeyboardInterrupt
        for routine in routines.values():
            if routine.error is not None:
                log.warning("%s could not draw beside others, and draws alone: %s", routine.name, routine.error)

    def _paint(self, point: int, plan: Plan, routine: Coroutine) -> None:
        """In the point's own thread."""
        profile, device = plan.parts.evaluation, plan.parts.trainer.own_device
        assert profile is not None
        subjects = open_subjects(
            plan.run, profile, encoders=plan.parts.model.encoders, class_photos=(), scale={}, device=device
        )
        of_subjects = [galleries_of(subject, profile) for subject in subjects]
        self._galleries += of_subjects
        missing = {label: gallery for one in of_subjects for label, gallery in one.incomplete(tuned=True).items()}
        if not missing:
            return
        model = sharing_copy(self._base)
        subjects[0].source.method.load(model, plan.run.result, scale={})
        share_weights(model, self._base)
        self._families[point] = model
        routine.ask(Ready())
        try:
            with drawing_by_proxy(model, routine.ask):
                generate_galleries(missing, model, profile, device)
        finally:
            del self._families[point]

    def _together(self, points: Sequence[int]) -> Ensemble:
        return Ensemble(self._base, {point: self._families[point] for point in points})
