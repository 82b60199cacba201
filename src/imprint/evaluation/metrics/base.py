"""The interface of metrics, and functions that take what a metric needs from the evidence.

Each of the functions says in its error what is missing, of whom, and the remedy.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional

from imprint.errors import UserError
from imprint.evaluation.records import Better, Candidate, Evidence, Needs, Photo, Picture, Shot, Value
from imprint.evaluation.statistics.intervals import UNBOUNDED, Bounds

References = Literal["all", "first", "trained_on", "held_out"]
REMEDIES: Mapping[References, str] = {
    "all": "Give photos of the subject.",
    "first": "Give photos of the subject.",
    "trained_on": "Evaluate a run that was trained on some of them, or choose other references.",
    "held_out": "Train with dataset.holdout=1 or more, or choose other references.",
}


class Metric(ABC):
    """One number of a subject's pictures. Its settings are part of the number's fingerprint."""

    title: ClassVar[str]  # as tables call it: CLIP-I
    better: ClassVar[Better]
    bounds: Bounds = UNBOUNDED  # no value of it, and no mean, lies beyond
    compares_pairs: ClassVar[bool] = False  # whether pictures are enlarged photos, each compared with its own

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """Known without any picture, so that pictures are only generated where they can be measured."""

    def problems(self, candidate: Candidate) -> Iterator[str]:
        """Why it means nothing of this subject or its prompts, and what to do, before anything is drawn."""
        yield from ()

    @abstractmethod
    def measure(self, evidence: Evidence) -> list[Value]:
        """As fine as the metric is defined: per picture if it can be. Every value is finite.

        Raises UserError, saying what is missing and the remedy, where the evidence does not suffice.
        """


def shots_of(evidence: Evidence, name: str, title: str) -> Sequence[Shot]:
    """The evaluated model's pictures of a prompt set."""
    return _some(evidence.shots, name, f"{title} of {evidence.subject}", "")


def untuned_shots_of(evidence: Evidence, name: str, title: str) -> Sequence[Shot]:
    """The untuned model's pictures of a prompt set."""
    return _some(evidence.untuned, name, f"{title} of {evidence.subject}", " by the untuned model")


def photos_of(evidence: Evidence, references: References, title: str) -> Sequence[Photo]:
    """The subject's real pictures that count."""
    photos = evidence.photos
    chosen = {
        "all": photos,
        "first": photos[:1],
        "trained_on": [photo for photo in photos if photo.trained_on],
        "held_out": [photo for photo in photos if not photo.trained_on],
    }[references]
    if not chosen:
        raise UserError(
            f"{title} of {evidence.subject}: none of its {len(photos)} photos is a reference "
            f"(references={references!r}). {REMEDIES[references]}"
        )
    return chosen


def others_of(evidence: Evidence, title: str) -> Sequence[Photo]:
    """The pictures of other things."""
    if not evidence.others:
        raise UserError(f"{title} of {evidence.subject}: there are no other pictures. Give evaluation.others=FOLDER.")
    return evidence.others


def unit_features(evidence: Evidence, encoder: str, pictures: Sequence[Picture], title: str) -> Tensor:
    """Unit features (N, D) in double precision."""
    return normalised(evidence.features.images(encoder, pictures), f"{title} of {evidence.subject}")


def normalised(features_ND: Tensor, whose: str) -> Tensor:
    """Rows of length 1, double. Raises UserError for a row without direction."""
    features_ND = features_ND.double()
    empty = (features_ND.norm(dim=1) == 0).nonzero().flatten().tolist()
    if empty:
        raise UserError(
            f"{whose}: the encoder gives nothing but zeros for {len(empty)} of {len(features_ND)}, which has no "
            "direction to compare. Its weights are probably damaged: get them again."
        )
    return functional.normalize(features_ND, dim=1)


def per_picture(shots: Sequence[Shot], scores: Iterable[float | Tensor]) -> list[Value]:
    """A score of each picture, in their order."""
    return [
        Value(shot.request.set, shot.request.number, shot.request.k, float(score))
        for shot, score in zip(shots, scores, strict=True)
    ]


def by_prompt(shots: Sequence[Shot]) -> dict[int, list[Shot]]:
    prompts: dict[int, list[Shot]] = {}
    for shot in shots:
        prompts.setdefault(shot.request.number, []).append(shot)
    return prompts


def _some(sets: Mapping[str, Sequence[Shot]], name: str, whose: str, by: str) -> Sequence[Shot]:
    if shots := sets.get(name):
        return shots
    raise UserError(
        f"{whose}: no usable picture of the {name} prompts{by}. "
        "See why they failed or are blank, draw them again, or leave the metric out."
    )
