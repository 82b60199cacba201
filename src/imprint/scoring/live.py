"""Scores of a run that is still training, from the model in memory."""

import copy
import gc
from collections.abc import Mapping, Sequence
from statistics import fmean

import torch

from imprint.evaluation.profile import Profile
from imprint.evaluation.watch import Look
from imprint.models.base import Model
from imprint.runs import Run
from imprint.scoring.galleries import draw, galleries
from imprint.scoring.measuring import measure
from imprint.scoring.score import evaluation_inputs
from imprint.scoring.sheets import meaning
from imprint.scoring.subject import EvaluationSubject, open_subjects


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
        self._subjects: Sequence[EvaluationSubject] = ()

    def look(self, model: Model, step: int) -> Mapping[str, Look]:
        """By metric, the mean over the subjects. Pictures of this step that are there already are kept: a run that goes
        on comes by with the same weights."""
        if not self._subjects:
            self._subjects = open_subjects(
                self._run, self._profile, encoders={}, class_photos=(), scale={}, device=self._device
            )
        means = [self._means(judged, model, step) for judged in self._subjects]
        gc.collect()
        prints = {name: facts.fingerprint for name, facts in meaning(self._subjects[0], self._profile)[1].items()}
        common = [name for name in means[0] if all(name in own for own in means)]
        return {name: Look(fmean(own[name] for own in means), prints[name]) for name in common}

    def _means(self, judged: EvaluationSubject, model: Model, step: int) -> dict[str, float]:
        found = galleries(judged, self._profile, step=step)
        own = {f"{self._run.folder.name}, step {step}, {name}": gallery for name, gallery in found["tuned"].items()}
        draw(own, model, self._profile, self._device)
        measured = measure(evaluation_inputs(judged, self._profile, found), self._profile, judged.features)
        return {name: scored.mean for name, scored in measured.rows["tuned"].items()}
