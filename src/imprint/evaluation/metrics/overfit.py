"""Overfit: how much nearer pictures are to the photos trained on than to photos held out."""

from collections.abc import Sequence

from torch import Tensor

from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.metrics.likeness import SelfPairs, likeness
from imprint.evaluation.metrics.material import References, photos_of, shots_of
from imprint.evaluation.records import Evidence, Needs, Shot, Value
from imprint.kinds import of_kind


@of_kind("metric/overfit")
class Overfit(Metric):
    """Mean cosine with the former minus mean cosine with the latter, of each picture. 0: nothing learnt by heart.

    The photos themselves differ: only with many of both, or beside the untuned model's, is a small value telling.
    """

    title = "overfit (trained on - held out)"
    better = "lower"

    def __init__(self, *, encoder: str, self_pairs: SelfPairs) -> None:
        self.encoder = encoder
        self.self_pairs = self_pairs

    @property
    def needs(self) -> Needs:
        return Needs(sets=("subject",), untuned=(), encoders=(self.encoder,), photos=2, trained_on=1, held_out=1)

    def measure(self, evidence: Evidence) -> list[Value]:
        shots = shots_of(evidence, "subject", self.title)
        differences = self._mean(evidence, shots, "trained_on") - self._mean(evidence, shots, "held_out")
        return [
            Value("subject", shot.asked.number, shot.asked.k, float(difference))
            for shot, difference in zip(shots, differences, strict=True)
        ]

    def _mean(self, evidence: Evidence, shots: Sequence[Shot], references: References) -> Tensor:
        photos = photos_of(evidence, references, self.title)
        cosines_NR = likeness(evidence, self.encoder, shots, photos, self_pairs=self.self_pairs, title=self.title)
        return cosines_NR.nanmean(dim=1)
