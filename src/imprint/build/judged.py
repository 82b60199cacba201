"""A finished run as an evaluation sees it: whose pictures it draws, from which model, beside which photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from imprint.build.identity import one_or_all
from imprint.build.subjects import find_subjects
from imprint.build.trained import Source, source_of
from imprint.construct import Constructor
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
    """`rare` is the concept by a word that the untuned model knows."""

    run: Run
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
) -> Judged:
    """Cheap. Raises ConfigError with everything that stands in the way of scoring."""
    problems: list[Problem | str] = []
    manifest = run.read()
    source = source_of(run, scale=scale, sampler=profile.sampler.given())
    concepts = run.concepts
    subjects = find_subjects(_dataset(manifest), concepts, problems)
    if subjects is None:
        raise ConfigError(problems)
    if one_or_all([subject.pictures.fingerprint for subject in subjects]) != manifest["content"]["dataset"]:
        problems.append(f"These are not the pictures any more that {run.folder.name} was trained on. Bring those back.")
    concept, dataset = subjects[0].concept, subjects[0].dataset
    parts = dataset.parts()
    photos = [*photos_of(parts.trained, trained_on=True)]
    if parts.held_out:
        photos += photos_of(parts.held_out, trained_on=False)
    for name, asked in profile.asked(dataset.kind, concept.noun).items():
        if not asked:
            remedy = f"has no prompt for {dataset.subject} ({dataset.kind}, {concept.noun}). Choose others."
            problems.append(f"evaluation.pictures.{name} {remedy}")
    height, width = profile.size or manifest["frame"]
    if height % source.facts.pixel_multiple or width % source.facts.pixel_multiple:
        remedy = f"this model needs multiples of {source.facts.pixel_multiple}."
        problems.append(Problem("evaluation.size", [height, width], remedy))
    judges = {**profile.encoders, **source.model.encoders, **encoders}
    problems += profile.problems(here(photos, class_photos))
    features = features_for(profile, judges, device, problems)
    if problems:
        raise ConfigError(problems)
    notes = [
        f"pictures.{name} leaves out, since it names the subject's own class: {template}"
        for name in profile.drawn
        for template in profile.pictures[name].left_out(dataset.kind, concept.noun)
    ]
    if len(concepts) > 1:
        notes.append(f"This run was taught {len(concepts)} subjects; {dataset.subject} alone is judged.")
    return Judged(
        run=run,
        source=source,
        scale={role: strength for role, strength in scale.items() if strength != 1},
        subject=dataset.subject,
        kind=dataset.kind,
        concept=concept,
        rare=_rare(source, concept) if SUBJECT in profile.needed_untuned else concept,
        photos=photos,
        class_photos=class_photos,
        size=(height, width),
        features=features,
        notes=notes,
    )


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


def _dataset(manifest: Mapping[str, Any]) -> Dataset | JointDataset:
    constructor = Constructor()
    dataset: Dataset | JointDataset = constructor.build(manifest["config"]["dataset"], "dataset")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    return dataset


def _rare(source: Source, concept: Concept) -> Concept:
    return Concept(choose_identifier(source.facts.tokenizer, ()), concept.noun)
