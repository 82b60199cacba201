"""How like real pictures of the subject each drawn picture is: what CLIP-I, DINO, PRES and memorisation share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.metrics.material import References, directions, photos_of, shots_of
from imprint.evaluation.records import Evidence, Needs, Photo, Shot, Value

SelfPairs = Literal["include", "exclude"]


class Likeness(Metric):
    """From the cosines of a picture with the references to one number a picture.

    `encoder` is a role. `self_pairs` decides on pairs of identical content, which only occur where photos themselves
    are judged.
    """

    set: ClassVar[str]  # whose pictures are judged

    def __init__(self, *, encoder: str, references: References, self_pairs: SelfPairs) -> None:
        self.encoder = encoder
        self.references = references
        self.self_pairs = self_pairs

    @property
    def needs(self) -> Needs:
        return Needs(
            sets=(self.set,),
            untuned=(),
            encoders=(self.encoder,),
            photos=1,
            trained_on=int(self.references == "trained_on"),
            held_out=int(self.references == "held_out"),
        )

    def measure(self, evidence: Evidence) -> list[Value]:
        shots = shots_of(evidence, self.set, self.title)
        photos = photos_of(evidence, self.references, self.title)
        cosines_NR = likeness(evidence, self.encoder, shots, photos, self_pairs=self.self_pairs, title=self.title)
        return [
            Value(self.set, shot.asked.number, shot.asked.k, float(self.pool(cosines_R[~cosines_R.isnan()])))
            for shot, cosines_R in zip(shots, cosines_NR, strict=True)
        ]

    @abstractmethod
    def pool(self, cosines_R: Tensor) -> Tensor:
        """One number from a picture's cosines with the references that count for it."""


class MeanLikeness(Likeness):
    def pool(self, cosines_R: Tensor) -> Tensor:
        return cosines_R.mean()


def likeness(
    evidence: Evidence,
    encoder: str,
    shots: Sequence[Shot],
    photos: Sequence[Photo],
    *,
    self_pairs: SelfPairs,
    title: str,
) -> Tensor:
    """Cosines (shots, photos); NaN where a pair does not count. Every shot has one that does."""
    cosines_NR = directions(evidence, encoder, shots, title) @ directions(evidence, encoder, photos, title).T
    if self_pairs == "exclude":
        same = torch.tensor([[shot.content == photo.content for photo in photos] for shot in shots])
        if same.all(dim=1).any():
            raise UserError(
                f"{title} of {evidence.subject}: a picture is the only reference, and compared with itself alone. "
                "Give more photos, or set self_pairs=include."
            )
        cosines_NR = cosines_NR.masked_fill(same, torch.nan)
    return cosines_NR
