"""Whether the class is still drawn as it is: what KID and FID share."""

from abc import abstractmethod
from typing import Literal

from torch import Tensor, nn

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.metrics.material import shots_of, untuned_shots_of
from imprint.evaluation.records import Evidence, Needs, Value

Against = Literal["class_photos", "untuned"]


class ClassFidelity(Metric):
    """A distance between the features of the tuned model's class pictures and those of others of the class:
    real photos, or the untuned model's pictures. The two are different numbers, so the setting says which.
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
        drawn_ND = evidence.features.images(self.encoder, shots_of(evidence, "class", self.title)).double()
        distance = self.distance(self._real(evidence), drawn_ND, f"{self.title} of {evidence.subject}")
        return [Value("class", None, None, distance)]

    @abstractmethod
    def distance(self, real_ND: Tensor, drawn_ND: Tensor, whose: str) -> float:
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


class Given(nn.Module):
    """Stands where torchmetrics expects a network: what comes in are features already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features_ND: Tensor) -> Tensor:
        return features_ND
