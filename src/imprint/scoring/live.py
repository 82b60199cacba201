"""Scores of a run that is still training, from the model in memory."""

import copy
import gc
from collections.abc import Mapping, Sequence
from statistics import fmean

import torch

from imprint.evaluation.measuring import measure
from imprint.evaluation.profile import Profile
from imprint.evaluation.watch import LiveScore
from imprint.models.base import Model
from imprint.runs import Run
from imprint.scoring.galleries import Incomplete, galleries_of, generate_galleries
from imprint.scoring.score_sheets import meaning
from imprint.scoring.subject import EvaluationSubject, open_subjects


class LiveScorer:
    """Generates the pictures of a profile and measures them, at any step. Photos and encoders are opened when
    they are first used.

    The model in memory generates everything: metrics that compare with the untuned model, and rows beside the run's
    own, are only measured when training has ended.
    """

    def __init__(self, run: Run, profile: Profile, device: torch.device) -> None:
        self._run = run
        self._device = device
        self._profile = copy.copy(profile)
        self._profile.rows = []
        self._subjects: Sequence[EvaluationSubject] = ()

    def score(self, model: Model, step: int) -> Mapping[str, LiveScore]:
        """By metric, the mean over the subjects. Pictures of this step that are there already are kept, since a resumed
        run has the same weights there."""
        if not self._subjects:
            self._subjects = open_subjects(
                self._run, self._profile, encoders={}, class_photos=(), scale={}, device=self._device
            )
        means = [self._means(subject, model, step) for subject in self._subjects]
        gc.collect()
        fingerprints = {name: facts.fingerprint for name, facts in meaning(self._subjects[0], self._profile)[1].items()}
        common = [name for name in means[0] if all(name in own for own in means)]
        return {name: LiveScore(fmean(own[name] for own in means), fingerprints[name]) for name in common}

    def _means(self, subject: EvaluationSubject, model: Model, step: int) -> dict[str, float]:
        galleries = galleries_of(subject, self._profile, step=step)
        own = {
            f"{self._run.folder.name}, step {step}, {name}": Incomplete(one, subject)
            for name, one in galleries.rows["tuned"].items()
        }
        generate_galleries(own, model, self._profile, self._device)
        with torch.autocast(self._device.type, enabled=False):  # of the training, which is no part of a score
            measured = measure(galleries.inputs(), self._profile, subject.features)
        return {name: scored.mean for name, scored in measured.rows["tuned"].items()}
