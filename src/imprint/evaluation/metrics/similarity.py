"""How similar each picture is to real ones of the subject: CLIP-I, DINO, PRES, memorisation, overfit."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric, References, per_picture, photos_of, shots_of, unit_features
from imprint.evaluation.records import Evidence, Needs, Photo, Shot, Value
from imprint.kinds import of_kind

SelfPairs = Literal["include", "exclude"]


class Similarity(Metric):
    """One number of each picture, from its cosines with the reference photos. Where pairs are averaged alike, a mean is
    left to that: a number of each pair.

    `encoder` is a role. `self_pairs` says whether pairs of identical content count, which only occur where the photos
    themselves are scored.
    """

    set: ClassVar[str]  # the prompts whose pictures are compared
    bounds = (-1.0, 1.0)
    is_mean: ClassVar[bool] = False  # whether a picture's number is the mean of its pairs

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
        cosines_NR = _cosines(evidence, self.encoder, shots, photos, self_pairs=self.self_pairs, title=self.title)
        of_shots = [cosines_R[~cosines_R.isnan()] for cosines_R in cosines_NR]
        if self.is_mean and evidence.averaging == "pairs":
            pairs = [(shot, cosine) for shot, cosines_R in zip(shots, of_shots, strict=True) for cosine in cosines_R]
            return per_picture([shot for shot, _ in pairs], [cosine for _, cosine in pairs])
        return per_picture(shots, map(self.pool, of_shots))

    @abstractmethod
    def pool(self, cosines_R: Tensor) -> Tensor:
        """One number from a picture's cosines with the references that count for it."""


class MeanSimilarity(Similarity):
    is_mean = True

    def pool(self, cosines_R: Tensor) -> Tensor:
        return cosines_R.mean()


@of_kind("metric/clip_i")
class ClipI(MeanSimilarity):
    """Subject fidelity: the mean cosine of a picture with the real ones, by CLIP."""

    title = "CLIP-I"
    better = "higher"
    set = "subject"


@of_kind("metric/dino")
class Dino(MeanSimilarity):
    """Subject fidelity by DINO, which was trained to tell pictures apart, not only classes."""

    title = "DINO"
    better = "higher"
    set = "subject"


@of_kind("metric/pres")
class Pres(MeanSimilarity):
    """How much random members of the class have come to look like the subject."""

    title = "PRES"
    better = "lower"
    set = "class"


@of_kind("metric/memorisation")
class Memorisation(Similarity):
    """The cosine with the nearest of the references, usually photos trained on: 1 for a copy. Read it beside fidelity,
    which a copy has too."""

    title = "nearest photo"
    better = "lower"
    set = "subject"

    def pool(self, cosines_R: Tensor) -> Tensor:
        return cosines_R.max()


@of_kind("metric/overfit")
class Overfit(Metric):
    """Each picture's mean cosine with the photos trained on, less that with the photos held out. 0: no memorisation.

    The photos themselves differ: a small value means something only with many of both, or compared with the untuned
    model's.
    """

    title = "overfit (trained on - held out)"
    better = "lower"
    bounds = (-2.0, 2.0)

    def __init__(self, *, encoder: str, self_pairs: SelfPairs) -> None:
        self.encoder = encoder
        self.self_pairs = self_pairs

    @property
    def needs(self) -> Needs:
        return Needs(sets=("subject",), untuned=(), encoders=(self.encoder,), photos=2, trained_on=1, held_out=1)

    def measure(self, evidence: Evidence) -> list[Value]:
        shots = shots_of(evidence, "subject", self.title)
        differences = self._mean(evidence, shots, "trained_on") - self._mean(evidence, shots, "held_out")
        return per_picture(shots, differences)

    def _mean(self, evidence: Evidence, shots: Sequence[Shot], references: References) -> Tensor:
        photos = photos_of(evidence, references, self.title)
        cosines_NR = _cosines(evidence, self.encoder, shots, photos, self_pairs=self.self_pairs, title=self.title)
        return cosines_NR.nanmean(dim=1)


def _cosines(
    evidence: Evidence,
    encoder: str,
    shots: Sequence[Shot],
    photos: Sequence[Photo],
    *,
    self_pairs: SelfPairs,
    title: str,
) -> Tensor:
    """NaN where a pair does not count. Every shot has a pair that does."""
    cosines_NR = unit_features(evidence, encoder, shots, title) @ unit_features(evidence, encoder, photos, title).T
    if self_pairs == "exclude":
        same = torch.tensor([[shot.content == photo.content for photo in photos] for shot in shots])
        if same.all(dim=1).any():
            raise UserError(
                f"{title} of {evidence.subject}: a picture is the only reference, and compared with itself alone. "
                "Give more photos, or set self_pairs=include."
            )
        cosines_NR = cosines_NR.masked_fill(same, torch.nan)
    return cosines_NR
