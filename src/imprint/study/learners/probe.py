"""learners=probe: a linear classifier on an encoder that stays as it is."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from imprint.evaluation.linear_probe import LinearProbe, fit_targets
from imprint.evaluation.metrics.base import normalised
from imprint.evaluation.records import Needs
from imprint.kinds import of_kind
from imprint.study.examples import Example
from imprint.study.learners.base import Learned, Learner, Tools, weights_hash
from imprint.study.learners.views import View, views
from imprint.study.order import Training

FOLDS = 4  # in which photos are left out, to choose by


@of_kind("learner/probe")
class Probe(Learner):
    """
    encoder    a role among the encoders
    positions  how many examples of each class it is fitted to, repeated or augmented where there are fewer
    decays     how much weights may be held back: the one is chosen that is best for photos left out of the training;
               of a single photo of each subject none can be left out, and it is the first
    """

    gives = frozenset({"probabilities", "features"})

    def __init__(self, *, encoder: str, positions: PositiveInt, decays: Sequence[PositiveFloat]) -> None:
        if not decays:
            raise ValueError("decays: give at least one")
        self.encoder = encoder
        self.positions = positions
        self.decays = decays

    @property
    def needs(self) -> Needs:
        return Needs(sets=(), untuned=(), encoders=(self.encoder,), photos=0)

    def learn(self, training: Training, tools: Tools) -> Learned:
        decay = self._chosen(training, tools)
        return _Probed(self._fitted(training, tools, decay), decay, partial(self._features, tools))

    def _chosen(self, training: Training, tools: Tools) -> float:
        folds = list(training.folds(FOLDS)) if len(self.decays) > 1 else []
        if not folds:
            return self.decays[0]
        losses = []
        for decay in self.decays:
            loss = 0.0
            for rest, left_out in folds:
                probe = self._fitted(rest, tools, decay)
                sure_NK = probe.probabilities(self._features(tools, [seen.example for seen in left_out]))
                answers_N = torch.tensor([rest.classes.index(seen.label) for seen in left_out])
                loss -= float(sure_NK[torch.arange(len(answers_N)), answers_N].clamp(min=1e-12).log().sum())
            losses.append(loss)
        return self.decays[losses.index(min(losses))]

    def _fitted(self, training: Training, tools: Tools, decay: float) -> LinearProbe:
        seen = training.first(self.positions * len(training.classes))
        shown, seen_targets_NK = views(seen, training)
        # Equal ones are one with the weight of all.
        places: dict[tuple[str, str], int] = {}
        for one, of in zip(shown, seen, strict=True):
            places.setdefault((one.content, of.label), len(places))
        shares_N = torch.zeros(len(places), dtype=torch.double)
        targets_NK = torch.zeros(len(places), len(training.classes), dtype=torch.double)
        kept: list[View] = []
        for one, of, target_K in zip(shown, seen, seen_targets_NK, strict=True):
            place = places[one.content, of.label]
            if place == len(kept):
                kept.append(one)
                targets_NK[place] = target_K.double()
            shares_N[place] += 1 / len(seen)
        features_ND = normalised(tools.features.images(self.encoder, kept), "learners.probe")
        return fit_targets(features_ND, targets_NK, shares_N, training.classes, decay=decay)

    def _features(self, tools: Tools, examples: Sequence[Example]) -> Tensor:
        return normalised(tools.features.images(self.encoder, examples), "learners.probe")


class _Probed(NamedTuple):
    probe: LinearProbe
    decay: float
    encoded: Callable[[Sequence[Example]], Tensor]

    @property
    def choices(self) -> Mapping[str, float]:
        return {"decay": self.decay}

    @property
    def weights(self) -> str:
        return weights_hash([self.probe.weight_DK, self.probe.bias_K])

    def probabilities(self, examples: Sequence[Example]) -> Tensor:
        return self.probe.probabilities(self.encoded(examples))

    def features(self, examples: Sequence[Example]) -> Tensor:
        """What it learned is which directions matter: the logits, around their mean, which says nothing."""
        logits_NK = self.encoded(examples).double() @ self.probe.weight_DK + self.probe.bias_K
        return (logits_NK - logits_NK.mean(dim=1, keepdim=True)).float()
