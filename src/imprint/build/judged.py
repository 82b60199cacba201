"""A finished run as an evaluation sees it: whose pictures it draws, from which model, beside which photos."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from imprint.build.identity import one_or_all
from imprint.build.subjects import Subject, find_subjects
from imprint.build.trained import Source, source_of
from imprint.construct import rebuilt
from imprint.data.dataset import Dataset
from imprint.data.joint import JointDataset
from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.profile import SUBJECT, Here, Profile
from imprint.evaluation.records import Photo
from imprint.methods.identifier import choose_identifier
from imprint.runs import Run
from imprint.types import Concept

FEATURES_AT_ONCE = 32  # pictures; changes memory and speed alone


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One subject of a run. `rare` is the concept by a word that the untuned model knows. `name` is the subject's among
    several in one run; `base` is the model that the result is put into, where it is not the run's own."""

    run: Run
    name: str
    base: str | None
    source: Source
    scale: Mapping[str, float]
    subject: str
    kind: str
    concept: Concept
    rare: Concept
    photos: Sequence[Photo]
    class_photos: Sequence[Photo]
    size: tuple[int, int]
    features: FeatureStore
    notes: Sequence[str]


def open_judged(
    run: Run,
    profile: Profile,
    *,
    encoders: Mapping[str, Encoder],
    class_photos: Sequence[Photo],
    scale: Mapping[str, float],
    device: torch.device,
    base: str | None = None,
) -> list[Judged]:
    """Every subject that the run was taught. Cheap. Raises ConfigError with everything that stands in the way of
    scoring."""
    problems: list[Problem | str] = []
    source = source_of(run, scale=scale, sampler=profile.sampler.given(), base=base)
    subjects = find_subjects(_dataset(run), run.concepts, problems)
    if subjects is None:
        raise ConfigError(problems)
    if one_or_all([subject.pictures.fingerprint for subject in subjects]) != run.read().content.dataset:
        problems.append(f"These are not the pictures any more that {run.folder.name} was trained on. Bring those back.")
    height, width = profile.size or run.frame
    if height % source.facts.pixel_multiple or width % source.facts.pixel_multiple:
        remedy = f"this model needs multiples of {source.facts.pixel_multiple}."
        problems.append(Problem("evaluation.size", [height, width], remedy))
    photos = [_photos(subject.dataset) for subject in subjects]
    for subject, own in zip(subjects, photos, strict=True):
        problems += misfits(subject, profile, here(own, class_photos))
    features = features_for(profile, {**profile.encoders, **source.model.encoders, **encoders}, device, problems)
    if problems:
        raise ConfigError(dict.fromkeys(map(str, problems)))
    rare = choose_identifier(source.facts.tokenizer, ()) if SUBJECT in profile.needed_untuned else None
    return [
        Judged(
            run=run,
            name=subject.concept.name if len(subjects) > 1 else "",
            base=base,
            source=source,
            scale={role: strength for role, strength in scale.items() if strength != 1},
            subject=called,
            kind=subject.dataset.kind,
            concept=subject.concept,
            rare=Concept(rare, subject.concept.noun) if rare else subject.concept,
            photos=own,
            class_photos=class_photos,
            size=(height, width),
            features=features,
            notes=list(_notes(subject, profile, len(subjects), base)),
        )
        for subject, called, own in zip(subjects, _told_apart(subjects), photos, strict=True)
    ]


def photos_of(pictures: PictureSet, *, trained_on: bool) -> list[Photo]:
    return [
        Photo(picture.key, picture.content, trained_on, partial(pictures.load, index))
        for index, picture in enumerate(pictures.pictures)
    ]


def features_for(
    profile: Profile, encoders: Mapping[str, Encoder], device: torch.device, problems: list[Problem | str]
) -> FeatureStore:
    """Of the encoders that some metric asks for; what is wrong with these is added to `problems`."""
    needs = {f"evaluation.metrics.{name}": metric.needs for name, metric in profile.metrics.items()}
    used = {role for needed in needs.values() for role in needed.encoders}
    features = FeatureStore(
        encoders={role: encoder for role, encoder in encoders.items() if role in used},
        batch_size=FEATURES_AT_ONCE,
        device=device,
    )
    try:
        features.check(needs, "evaluation.encoders")
    except UserError as error:
        problems += str(error).splitlines()
    return features


def here(photos: Sequence[Photo], class_photos: Sequence[Photo]) -> Here:
    trained_on = sum(photo.trained_on for photo in photos)
    return Here(len(photos), trained_on, len(photos) - trained_on, len(class_photos))


def misfits(subject: Subject, profile: Profile, here: Here) -> Iterator[str]:
    """What the profile cannot ask or measure of this subject."""
    dataset, noun = subject.dataset, subject.concept.noun
    for name, asked in profile.asked(dataset.kind, noun).items():
        if not asked:
            remedy = f"has no prompt for {dataset.subject} ({dataset.kind}, {noun}). Choose others."
            yield f"evaluation.pictures.{name} {remedy}"
    yield from profile.problems(here)


def photos_before(subject: Subject) -> Here:
    """What will be there to judge a run of this subject by."""
    held_out = len(subject.dataset.held_out() or ()) if subject.dataset.holdout else 0
    return Here(len(subject.pictures) + held_out, len(subject.pictures), held_out, 0)


def _dataset(run: Run) -> Dataset | JointDataset:
    dataset: Dataset | JointDataset = rebuilt(
        run.read().config.dataset, "dataset", Dataset | JointDataset, manifest=run.manifest, trust=run.trust
    )
    return dataset


def _photos(dataset: Dataset) -> list[Photo]:
    parts = dataset.parts()
    held_out = photos_of(parts.held_out, trained_on=False) if parts.held_out else []
    return [*photos_of(parts.trained, trained_on=True), *held_out]


def _notes(subject: Subject, profile: Profile, count: int, base: str | None) -> Iterator[str]:
    for name in profile.drawn:
        for template in profile.pictures[name].left_out(subject.dataset.kind, subject.concept.noun):
            yield f"pictures.{name} leaves out, since it names the subject's own class: {template}"
    if count > 1:
        yield f"This run was taught {count} subjects together; each has a sheet of its own."
    if base is not None:
        yield f"The result was put into {base}; the floors are of that model."


def _told_apart(subjects: Sequence[Subject]) -> list[str]:
    """What the subjects are called, which differs: a sheet, and the noise of its pictures, go by it."""
    plain = [subject.dataset.subject for subject in subjects]
    return [
        f"{called} ({subject.concept.name})" if plain.count(called) > 1 else called
        for called, subject in zip(plain, subjects, strict=True)
    ]
