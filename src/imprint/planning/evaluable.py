"""Whether an evaluation can be carried out: its encoders are available, and there are enough photos and prompts."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch

from imprint.data.pictures import PictureSet
from imprint.errors import Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.profile import PhotoCounts, Profile
from imprint.evaluation.records import Photo
from imprint.planning.subjects import Subject

ENCODER_BATCH_SIZE = 32  # changes only memory and speed


def photos_of(pictures: PictureSet, *, trained_on: bool) -> list[Photo]:
    return [
        Photo(picture.key, picture.content, trained_on, partial(pictures.load, index))
        for index, picture in enumerate(pictures.pictures)
    ]


def features_for(
    profile: Profile, encoders: Mapping[str, Encoder], device: torch.device, problems: list[Problem | str]
) -> FeatureStore:
    """Of the encoders that some metric needs; what is wrong with these is added to `problems`."""
    needs = {f"evaluation.metrics.{name}": metric.needs for name, metric in profile.metrics.items()}
    used = {role for needed in needs.values() for role in needed.encoders}
    problems += [
        f"model.encoders.{role}: this is no encoder. Leave it out, and the profile's own is used."
        for role, encoder in encoders.items()
        if role in used and not isinstance(encoder, Encoder)
    ]
    features = FeatureStore(
        encoders={role: encoder for role, encoder in encoders.items() if role in used and isinstance(encoder, Encoder)},
        batch_size=ENCODER_BATCH_SIZE,
        device=device,
    )
    try:
        features.check(needs, "evaluation.encoders")
    except UserError as error:
        problems += str(error).splitlines()
    return features


def photo_counts(photos: Sequence[Photo], class_photos: Sequence[Photo]) -> PhotoCounts:
    trained_on = sum(photo.trained_on for photo in photos)
    return PhotoCounts(len(photos), trained_on, len(photos) - trained_on, len(class_photos))


def misfits(subject: Subject, profile: Profile, counts: PhotoCounts) -> Iterator[str]:
    """Which prompts and metrics of the profile are impossible for this subject."""
    dataset, noun = subject.dataset, subject.concept.noun
    for name, requests in profile.requests(dataset.kind, noun).items():
        if not requests:
            remedy = f"has no prompt for {dataset.subject} ({dataset.kind}, {noun}). Choose others."
            yield f"evaluation.pictures.{name} {remedy}"
    yield from profile.problems(counts)


def photos_before(subject: Subject) -> PhotoCounts:
    """How many photos there will be to score a run of this subject by."""
    held_out = len(subject.dataset.held_out() or ()) if subject.dataset.holdout else 0
    return PhotoCounts(len(subject.pictures) + held_out, len(subject.pictures), held_out, 0)
