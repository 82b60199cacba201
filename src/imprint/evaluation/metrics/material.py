"""What metrics take from the evidence; each function says what is missing, of whom, and the remedy."""

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor
from torch.nn import functional

from imprint.errors import UserError
from imprint.evaluation.records import Evidence, Photo, Picture, Shot

References = Literal["all", "first", "trained_on", "held_out"]


def shots_of(evidence: Evidence, name: str, title: str) -> Sequence[Shot]:
    """The judged model's pictures of a prompt set."""
    return _some(evidence.shots, name, f"{title} of {evidence.subject}: no usable picture of the {name} prompts")


def untuned_shots_of(evidence: Evidence, name: str, title: str) -> Sequence[Shot]:
    """The untuned model's pictures of a prompt set."""
    what = f"{title} of {evidence.subject}: no usable picture of the {name} prompts by the untuned model"
    return _some(evidence.untuned, name, what)


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
            f"(references={references!r}). {_REMEDIES[references]}"
        )
    return chosen


def directions(evidence: Evidence, encoder: str, pictures: Sequence[Picture], title: str) -> Tensor:
    """Unit features (N, D) in double precision."""
    return unit(evidence.features.images(encoder, pictures), f"{title} of {evidence.subject}")


def unit(features_ND: Tensor, whose: str) -> Tensor:
    """Rows of length 1, double. Raises UserError for a row without direction."""
    features_ND = features_ND.double()
    empty = (features_ND.norm(dim=1) == 0).nonzero().flatten().tolist()
    if empty:
        raise UserError(
            f"{whose}: the encoder gives nothing but zeros for {len(empty)} of {len(features_ND)}, which has no "
            "direction to compare. Its weights are probably damaged: get them again."
        )
    return functional.normalize(features_ND, dim=1)


def by_prompt(shots: Sequence[Shot]) -> dict[int, list[Shot]]:
    prompts: dict[int, list[Shot]] = {}
    for shot in shots:
        prompts.setdefault(shot.asked.number, []).append(shot)
    return prompts


_REMEDIES: Mapping[References, str] = {
    "all": "Give photos of the subject.",
    "first": "Give photos of the subject.",
    "trained_on": "Judge a run that was trained on some of them, or choose other references.",
    "held_out": "Train with dataset.holdout=1 or more, or choose other references.",
}


def _some(sets: Mapping[str, Sequence[Shot]], name: str, what: str) -> Sequence[Shot]:
    if shots := sets.get(name):
        return shots
    raise UserError(f"{what}. See why they failed or are blank, draw them again, or leave the metric out.")
