"""Scores of a run that is still training, from the model in memory."""

import copy
import gc
from collections.abc import Mapping

import torch

from imprint.build.galleries import galleries
from imprint.build.judged import Judged, open_judged
from imprint.build.measuring import measure
from imprint.build.scoring import drawer, exhibits
from imprint.evaluation.drawing import complete
from imprint.evaluation.profile import Profile
from imprint.families.base import Family
from imprint.runs import Run


class Watcher:
    """Draws what a profile asks for and measures it, at any step. Photos and encoders are opened at the first look.

    The model in memory draws all: metrics that compare with the untuned one, and rows beside the run's own, are for
    when training has ended.
    """

    def __init__(self, run: Run, profile: Profile, device: torch.device) -> None:
        self._run = run
        self._device = device
        self._profile = copy.copy(profile)
        self._profile.rows = []
        self._judged: Judged | None = None

    def look(self, family: Family, step: int) -> Mapping[str, float]:
        """The means by metric. Pictures of this step that are there already are kept: a run that goes on comes by with
        the same weights."""
        if self._judged is None:
            self._judged = self._opened()
        found = galleries(self._judged, self._profile, step=step)
        draw = drawer(family, self._judged, self._profile, self._device)
        for name, gallery in found["tuned"].items():
            told = f"{self._run.folder.name}, step {step}, {name}"
            complete(gallery, draw, batch_size=self._profile.batch_size, told=told)
        measured = measure(exhibits(self._judged, self._profile, found), self._profile, self._judged.features)
        gc.collect()
        return {name: scored.mean for name, scored in measured.rows["tuned"].items()}

    def _opened(self) -> Judged:
        return open_judged(self._run, self._profile, encoders={}, class_photos=(), scale={}, device=self._device)
