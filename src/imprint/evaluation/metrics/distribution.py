"""Whether pictures of the class are still like before: KID and FID of two sets of pictures, over any encoder."""

import warnings
from abc import abstractmethod
from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric, shots_of, untuned_shots_of
from imprint.evaluation.records import Evidence, Needs, Value
from imprint.kinds import of_kind
from imprint.seeds import seed_of

Against = Literal["class_photos", "untuned"]


class ClassFidelity(Metric):
    """How far the features of the tuned model's class pictures are from those of real photos of the class, or of the
    untuned model's pictures. These are different numbers, so the setting `against` says which.
    """

    def __init__(self, *, encoder: str, against: Against) -> None:
        self.encoder = encoder
        self.against = against

    @property
    def needs(self) -> Needs:
        untuned = ("class",) if self.against == "untuned" else ()
        photos = int(self.against == "class_photos")
        return Needs(sets=("class",), untuned=untuned, encoders=(self.encoder,), photos=0, class_photos=photos)

    def measure(self, evidence: Evidence) -> list[Value]:
        generated_ND = evidence.features.images(self.encoder, shots_of(evidence, "class", self.title)).double()
        distance = self.distance(self._real(evidence), generated_ND, f"{self.title} of {evidence.subject}")
        return [Value("class", None, None, distance)]

    @abstractmethod
    def distance(self, real_ND: Tensor, generated_ND: Tensor, whose: str) -> float:
        """Raises UserError, beginning with `whose`, where there are too few."""

    def _real(self, evidence: Evidence) -> Tensor:
        if self.against == "untuned":
            shots = untuned_shots_of(evidence, "class", self.title)
            return evidence.features.images(self.encoder, shots).double()
        if not evidence.class_photos:
            raise UserError(
                f"{self.title} of {evidence.subject}: there are no photos of its class. "
                "Give some, or set against=untuned: then the untuned model's pictures stand in."
            )
        return evidence.features.images(self.encoder, evidence.class_photos).double()


class IdentityFeatures(nn.Module):
    """In the place of torchmetrics' Inception: its input are features already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features_ND: Tensor) -> Tensor:
        return features_ND


@of_kind("metric/kid")
class Kid(ClassFidelity):
    """The unbiased squared distance of means under a cubic kernel, averaged over random subsets: always the same ones.

    It can be a little below zero. Needs more pictures of both kinds than `subset_size`.
    """

    title = "KID (encoder features, not Inception)"
    better = "lower"

    def __init__(self, *, encoder: str, against: Against, subsets: PositiveInt, subset_size: PositiveInt) -> None:
        super().__init__(encoder=encoder, against=against)
        if subset_size < 2:
            raise ValueError(f"subset_size={subset_size}: at least 2 are needed.")
        self.subsets = subsets
        self.subset_size = subset_size

    @property
    def needs(self) -> Needs:
        return super().needs._replace(in_all=self.subset_size + 1)

    def distance(self, real_ND: Tensor, generated_ND: Tensor, whose: str) -> float:
        fewest = min(len(real_ND), len(generated_ND))
        if fewest <= self.subset_size:
            raise UserError(
                f"{whose}: subset_size={self.subset_size} needs more than so many pictures of the class of both kinds, "
                f"and there are {len(generated_ND)} drawn and {len(real_ND)} to compare with. "
                "Ask for more, or set a smaller subset_size."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that it keeps features
            kid = KernelInceptionDistance(
                feature=IdentityFeatures(real_ND.shape[1]), subsets=self.subsets, subset_size=self.subset_size
            )
        kid.update(real_ND, real=True)
        kid.update(generated_ND, real=False)
        with torch.random.fork_rng(devices=[]):  # it samples its subsets from the global generator
            torch.manual_seed(seed_of("KID"))
            mean, _ = kid.compute()
        return float(mean)


@of_kind("metric/fid")
class Fid(ClassFidelity):
    """The Frechet distance of two Gaussians fitted to the features.

    Fewer pictures than features do not determine a covariance; it is refused then, since the number would mostly
    say how few there are. KID has no such bias.
    """

    title = "FID (encoder features, not Inception)"
    better = "lower"
    bounds = (0.0, None)

    @property
    def needs(self) -> Needs:
        return super().needs._replace(outnumber_features=True)

    def distance(self, real_ND: Tensor, generated_ND: Tensor, whose: str) -> float:
        features = real_ND.shape[1]
        if min(len(real_ND), len(generated_ND)) <= features:
            raise UserError(
                f"{whose}: with {features} features, more than {features} pictures of the class of both kinds are "
                f"needed, and there are {len(generated_ND)} drawn and {len(real_ND)} to compare with. "
                "Ask for more, or use KID."
            )
        fid = FrechetInceptionDistance(feature=IdentityFeatures(features))
        fid.update(real_ND, real=True)
        fid.update(generated_ND, real=False)
        return float(fid.compute().clamp(min=0))  # rounding alone makes it negative
