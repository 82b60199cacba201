"""The pictures by which finished runs are scored: generated in batches over all runs, and encoded together."""

import logging
from collections.abc import Sequence
from functools import partial

from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.ensemble import Ensemble, share_weights, sharing_copy
from imprint.batched_runs.memory_budget import release_memory
from imprint.batched_runs.pass_scheduler import run_together
from imprint.batched_runs.requests import Ready, generating_by_proxy
from imprint.models.base import Model
from imprint.planning.parts import Plan
from imprint.scoring.galleries import OF_RUN, Galleries, encode_galleries, galleries_of, generate_galleries
from imprint.scoring.subject import open_subjects

log = logging.getLogger(__name__)


class BatchedEvaluation:
    """Of runs whose model was `base`. Each generates into its own galleries, so that none waits for another's lock."""

    def __init__(self, plans: Sequence[Plan], base: Model) -> None:
        self._plans = plans
        self._base = base
        self._models: dict[int, Model] = {}
        self._galleries: list[Galleries] = []

    def view(self) -> None:
        """Generates the missing pictures and encodes all. Pictures that cannot be encoded here, perhaps for want of
        memory beside this network, are encoded when their run is scored. Raises KeyboardInterrupt when asked to stop;
        the pictures so far stay."""
        self._generate()
        try:
            encode_galleries(self._galleries)
        except Exception as error:
            log.warning("Not all pictures could be seen together; each run's are when it is scored. %s", error)
            release_memory()

    def _generate(self) -> None:
        coroutines = {
            point: Coroutine(plan.run.folder.name, partial(self._generate_point, point, plan))
            for point, plan in enumerate(self._plans)
        }
        run_together(coroutines, self._ensemble, self._plans[0].parts.trainer.own_device)
        for coroutine in coroutines.values():
            if coroutine.error is not None:
                log.warning(
                    "%s could not generate pictures beside others, and does so alone: %s",
                    coroutine.name,
                    coroutine.error,
                )

    def _generate_point(self, point: int, plan: Plan, coroutine: Coroutine) -> None:
        """In the point's own thread."""
        profile, device = plan.parts.evaluation, plan.parts.trainer.own_device
        assert profile is not None
        subjects = open_subjects(
            plan.run, profile, encoders=plan.parts.model.encoders, class_photos=(), scale={}, device=device
        )
        of_subjects = [galleries_of(subject, profile) for subject in subjects]
        self._galleries += of_subjects
        missing = {label: gallery for one in of_subjects for label, gallery in one.incomplete(OF_RUN).items()}
        if not missing:
            return
        model = sharing_copy(self._base)
        subjects[0].source.method.load(model, plan.run.result, scale={})
        share_weights(model, self._base)
        self._models[point] = model
        coroutine.request(Ready())
        try:
            with generating_by_proxy(model, coroutine.request):
                generate_galleries(missing, model, profile, device)
        finally:
            del self._models[point]

    def _ensemble(self, points: Sequence[int]) -> Ensemble:
        return Ensemble(self._base, {point: self._models[point] for point in points})
