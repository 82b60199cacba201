"""How far apart the pictures of one prompt are: what DIV and its substitute share."""

from abc import abstractmethod
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.metrics.material import by_prompt, shots_of
from imprint.evaluation.records import Evidence, Needs, Shot, Value


class Variety(Metric):
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
