"""The Vendi score (Friedman and Dieng 2023): how many truly different pictures there are."""

from collections.abc import Sequence
from typing import Literal

import torch

from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.metrics.material import by_prompt, directions, shots_of
from imprint.evaluation.records import Evidence, Needs, Shot, Value
from imprint.kinds import of_kind


@of_kind("metric/vendi")
class Vendi(Metric):
    """exp of the entropy of the eigenvalues of the cosines' matrix over n: 1 where all are alike, n where none are.

    `per` prompt or subject; it grows with the number of pictures, so compare only where that is the same.
    """

    title = "Vendi"
    better = "higher"

    def __init__(self, *, encoder: str, per: Literal["prompt", "subject"]) -> None:
        self.encoder = encoder
        self.per = per

    @property
    def needs(self) -> Needs:
        return Needs(sets=("subject",), untuned=(), encoders=(self.encoder,), photos=0)

    def measure(self, evidence: Evidence) -> list[Value]:
        shots = shots_of(evidence, "subject", self.title)
        if self.per == "subject":
            return [Value("subject", None, None, self._score(evidence, shots))]
        return [
            Value("subject", number, None, self._score(evidence, some)) for number, some in by_prompt(shots).items()
        ]

    def _score(self, evidence: Evidence, shots: Sequence[Shot]) -> float:
        features_ND = directions(evidence, self.encoder, shots, self.title)
        shares = torch.linalg.eigvalsh(features_ND @ features_ND.T / len(shots)).clamp(min=0)
        return float(torch.special.entr(shares).sum().exp())
