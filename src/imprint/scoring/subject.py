"""The subjects of a run that are scored: from which model, beside which photos, with which encoders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from imprint.construct import rebuilt
from imprint.data.dataset import Dataset, JointDataset
from imprint.errors import ConfigError, Problem
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.records import Photo
from imprint.file_contents import refuse
from imprint.manifest import REMEDY
from imprint.methods.identifier import choose_identifier
from imprint.planning.evaluable import features_for, misfits, photo_counts, photos_of
from imprint.planning.identity import one_or_all
from imprint.planning.subjects import Subject, find_subjects
from imprint.planning.upscaling import open_others, wrong_profile
from imprint.results.load import Source, source_of
from imprint.runs import Run
from imprint.types import Concept


@dataclass(frozen=True, kw_only=True)
class EvaluationSubject:
    """One subject of a run.

    name              where the run has several subjects, the subject's name in it; else empty
    label             what the score sheet calls it, and what the noise of its pictures depends on; no two are equal
    base              the model that the result is put into, where it is not the run's own
    untuned_concept   with an identifier that the untuned model knows
    """

    run: Run
    name: str
    base: str | None
    source: Source
    scale: Mapping[str, float]
    label: str
    kind: str
    concept: Concept
    untuned_concept: Concept
    photos: Sequence[Photo]
    class_photos: Sequence[Photo]
    others: Sequence[Photo]
    size: tuple[int, int]
    features: FeatureStore
    notes: Sequence[str]


def open_subjects(
    run: Run,
    profile: Profile,
    *,
    encoders: Mapping[str, Encoder],
    class_photos: Sequence[Photo],
    scale: Mapping[str, float],
    device: torch.device,
    base: str | None = None,
) -> list[EvaluationSubject]:
    """Every subject that the run was taught. Cheap. Raises ConfigError with everything that stands in the way of
    scoring."""
    problems: list[Problem | str] = []
    source = source_of(run, scale=scale, sampler=profile.sampler.given(), base=base)
    dataset = _dataset(run)
    if len(dataset.members) != len(run.concepts):
        refuse(run.manifest, f"it has {len(run.concepts)} subjects, and pictures of {len(dataset.members)}", REMEDY)
    subjects = find_subjects(dataset, run.concepts, problems)
    if subjects is None:
        raise ConfigError(problems)
    if one_or_all([subject.pictures.fingerprint for subject in subjects]) != run.read().content.dataset:
        problems.append(f"These are not the pictures any more that {run.folder.name} was trained on. Bring those back.")
    if wrong := wrong_profile(profile, source.facts):
        problems.append(wrong)
    height, width = profile.size or run.frame
    if height % source.facts.pixel_multiple or width % source.facts.pixel_multiple:
        remedy = f"this model needs multiples of {source.facts.pixel_multiple}."
        problems.append(Problem("evaluation.size", [height, width], remedy))
    others = open_others(profile, (height, width), problems) if source.facts.upscaling else None
    photos = [_photos(subject.dataset) for subject in subjects]
    judges = {**profile.encoders, **source.model.encoders, **encoders}
    for subject, own in zip(subjects, photos, strict=True):
        problems += misfits(subject, profile, photo_counts(own, class_photos), judges)
    features = features_for(profile, judges, device, problems)
    if problems:
        raise ConfigError(dict.fromkeys(map(str, problems)))
    rare = choose_identifier(source.facts.tokenizer, ()) if SUBJECT in profile.untuned_sets else None
    return [
        EvaluationSubject(
            run=run,
            name=subject.concept.name if len(subjects) > 1 else "",
            base=base,
            source=source,
            scale={role: strength for role, strength in scale.items() if strength != 1},
            label=label,
            kind=subject.dataset.kind,
            concept=subject.concept,
            untuned_concept=Concept(rare, subject.concept.noun) if rare else subject.concept,
            photos=own,
            class_photos=class_photos,
            others=photos_of(others, trained_on=False) if others else (),
            size=(height, width),
            features=features,
            notes=list(_notes(subject, profile, len(subjects), base)),
        )
        for subject, label, own in zip(subjects, _labels(subjects), photos, strict=True)
    ]


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
    for name in profile.generated_sets:
        for template in profile.pictures[name].left_out(subject.dataset.kind, subject.concept.noun):
            yield f"pictures.{name} leaves out, since it names the subject's own class: {template}"
    if count > 1:
        yield f"This run was taught {count} subjects together; each has a sheet of its own."
    if base is not None:
        yield f"The result was put into {base}; the untuned rows are of that model."


def _labels(subjects: Sequence[Subject]) -> list[str]:
    """The subjects' names; with the concept's name where two are equal."""
    names = [subject.dataset.subject for subject in subjects]
    return [
        f"{name} ({subject.concept.name})" if names.count(name) > 1 else name
        for name, subject in zip(names, subjects, strict=True)
    ]
