"""Whether an evaluation can be carried out: its encoders are available, and there are enough photos and prompts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from PIL import Image

from imprint.data.pictures import Picture, PictureSet
from imprint.errors import Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.profile import PhotoCounts, Profile
from imprint.evaluation.records import Candidate, Photo
from imprint.pictures.files import open_picture
from imprint.planning.subjects import Subject

ENCODER_BATCH_SIZE = 32  # changes only memory and speed


def photos_of(pictures: PictureSet, *, trained_on: bool) -> list[Photo]:
    return [
        Photo(picture.key, picture.content, trained_on, partial(pictures.load, index), partial(_mask, picture))
        for index, picture in enumerate(pictures.pictures)
    ]


def _mask(picture: Picture) -> Image.Image | None:
    return None if picture.mask is None else open_picture(picture.mask.file).convert("L")


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


def misfits(subject: Subject, profile: Profile, counts: PhotoCounts, encoders: Mapping[str, Encoder]) -> Iterator[str]:
    """Which prompts and metrics of the profile are impossible for this subject."""
    dataset, noun = subject.dataset, subject.concept.noun
    asked = profile.requests(dataset.kind, noun)
    prompts = {name: list(dict.fromkeys((one.template, one.category) for one in some)) for name, some in asked.items()}
    for name, requests in asked.items():
        if not requests:
            remedy = f"has no prompt for {dataset.subject} ({dataset.kind}, {noun}). Choose others."
            yield f"evaluation.pictures.{name} {remedy}"
    counted = {name: len(requests) for name, requests in asked.items()}
    yield from profile.problems(counts)
    yield from too_few(profile, counted, counts.class_photos, encoders, more="Ask for more ({key}.images={each})")
    yield from profile.unmeasurable(Candidate(dataset.subject, noun, sizes_of(subject.pictures), prompts))


def too_few(
    profile: Profile, asked: Mapping[str, int], class_photos: int, encoders: Mapping[str, Encoder], *, more: str
) -> Iterator[str]:
    """Which metrics need more pictures of a prompt set than are `asked` for, or more real ones of the class.

    `more` says what to do, with the set's {key} and how many pictures of {each} prompt are needed.
    """
    for name, metric in profile.metrics.items():
        needs, fewest = metric.needs, metric.needs.in_all
        why = ""
        if needs.outnumber_features:
            widths = [width for role in needs.encoders if (width := _width(encoders.get(role)))]
            fewest, why = max([fewest, *(width + 1 for width in widths)]), ", more than its encoder has features"
        leave_out = f"or leave the metric out (~evaluation.metrics.{name})."
        for set in dict.fromkeys((*needs.sets, *needs.untuned)):
            if 0 < asked.get(set, 0) < fewest:
                each = math.ceil(fewest / (asked[set] / profile.pictures[set].images))
                yield (
                    f"evaluation.metrics.{name} needs {fewest} pictures of {set} prompts{why}, not {asked[set]}. "
                    f"{more.format(key=f'evaluation.pictures.{set}', each=each)}, {leave_out}"
                )
        if needs.class_photos and 0 < class_photos < fewest:
            yield (
                f"evaluation.metrics.{name} needs {fewest} real pictures of other members of the class{why}; there are "
                f"{class_photos}. Give more, {leave_out}"
            )


def _width(encoder: Encoder | None) -> int | None:
    """None where it is not known, also because something else is wrong, which the encoder's own check tells."""
    try:
        return encoder.width if encoder else None
    except UserError:
        return None


def sizes_of(pictures: PictureSet) -> list[tuple[int, int]]:
    return [picture.size for picture in pictures.pictures]


def photos_before(subject: Subject) -> PhotoCounts:
    """How many photos there will be to score a run of this subject by."""
    held_out = len(subject.dataset.held_out() or ()) if subject.dataset.holdout else 0
    return PhotoCounts(len(subject.pictures) + held_out, len(subject.pictures), held_out, 0)
