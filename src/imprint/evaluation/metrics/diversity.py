"""How different the pictures of a subject are from each other: DIV, its substitute, and the Vendi score."""

from abc import abstractmethod
from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric, by_prompt, shots_of, unit_features
from imprint.evaluation.records import Evidence, Needs, Shot, Value
from imprint.kinds import of_kind


class PairwiseDiversity(Metric):
    """The mean distance of all pairs of a prompt's pictures. `encoder` is a role."""

    def __init__(self, *, encoder: str) -> None:
        self.encoder = encoder

    @property
    def needs(self) -> Needs:
        return Needs(sets=("subject",), untuned=(), encoders=(self.encoder,), photos=0, pictures=2, sides=("layers",))

    def measure(self, evidence: Evidence) -> list[Value]:
        prompts = by_prompt(shots_of(evidence, "subject", self.title))
        if alone := [shots[0].prompt for shots in prompts.values() if len(shots) < 2]:
            raise UserError(
                f"{self.title} of {evidence.subject}: only one usable picture of {', '.join(map(repr, alone))}. "
                "Two or more are needed: ask for more a prompt, draw what failed again, or leave the metric out."
            )
        return [Value("subject", number, None, self._spread(evidence, shots)) for number, shots in prompts.items()]

    def _spread(self, evidence: Evidence, shots: Sequence[Shot]) -> float:
        depths = evidence.features.layers(self.encoder, shots)
        pairs = combinations(range(len(shots)), 2)
        return float(torch.stack([self.distance([(d[a], d[b]) for d in depths]) for a, b in pairs]).double().mean())

    @abstractmethod
    def distance(self, depths: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Of two pictures, from their layers (L, D) at each depth."""


@of_kind("metric/div")
class Div(PairwiseDiversity):
    """LPIPS between pictures of one prompt. The encoder's layers carry LPIPS' weights (encoders/lpips.py)."""

    title = "DIV (LPIPS)"
    better = "higher"
    bounds = (0.0, None)

    def distance(self, depths: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        return torch.stack([(a_LD - b_LD).square().sum(dim=1).mean() for a_LD, b_LD in depths]).sum()


@of_kind("metric/div_features")
class DivFeatures(PairwiseDiversity):
    """1 - cosine of two pictures' features at the same place, averaged over places, then over depths."""

    title = "diversity (encoder layers, not LPIPS)"
    better = "higher"
    bounds = (0.0, 2.0)

    def distance(self, depths: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        return torch.stack([1 - functional.cosine_similarity(a_LD, b_LD, dim=1).mean() for a_LD, b_LD in depths]).mean()


@of_kind("metric/vendi")
class Vendi(Metric):
    """exp of the entropy of the eigenvalues of the cosines' matrix over n: 1 where all are alike, n where none are.

    `per` prompt or subject; it grows with the number of pictures, so compare only where that is the same.
    """

    title = "Vendi"
    better = "higher"
    bounds = (1.0, None)

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
        features_ND = unit_features(evidence, self.encoder, shots, self.title)
        shares = torch.linalg.eigvalsh(features_ND @ features_ND.T / len(shots)).clamp(min=0)
        return float(torch.special.entr(shares).sum().exp())
