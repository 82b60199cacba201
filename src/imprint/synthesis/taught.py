"""The subjects of a data set: what was taught, or will be, and the photos it was taught from."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from PIL import Image

from imprint.construct import rebuilt
from imprint.data.dataset import Dataset, JointDataset, Kind
from imprint.data.estimated_masks import estimator_of
from imprint.data.framing import CENTRE, Frame, View, cover, cropped
from imprint.data.masks import load_mask
from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem
from imprint.file_contents import refuse
from imprint.manifest import REMEDY
from imprint.masks.base import Estimator
from imprint.planning.identity import one_or_all
from imprint.planning.parts import Plan
from imprint.planning.subjects import Subject, find_subjects
from imprint.runs import Run
from imprint.synthesis.drawn_world import drawn_mask
from imprint.types import Concept


class Taught:
    """A subject of a run, which may not be trained yet. `label` is what the data set calls it: no two are equal.

    Photos and masks are seen as pictures are drawn: cut to `size` (height, width) around their middle. `estimator`
    finds the masks of photos that have none.
    """

    estimator: Estimator | None = None

    def __init__(self, *, label: str, subject: Subject, run: Run, size: tuple[int, int]) -> None:
        self.label = label
        self.concept: Concept = subject.concept
        self.kind: Kind = subject.dataset.kind
        self.photos: PictureSet = subject.pictures
        self.run = run
        self.size = size
        self._dataset: Dataset = subject.dataset
        self._seen: dict[int, Image.Image] = {}
        self._masks: dict[int, Image.Image | None] = {}

    @property
    def noun(self) -> str:
        return self.concept.noun

    @cached_property
    def held_out(self) -> PictureSet | None:
        """Photos that were kept out of the training."""
        return self._dataset.held_out()

    @property
    def rights(self) -> str:
        """In the photos."""
        return self._dataset.rights or "not stated"

    @property
    def keys(self) -> list[str]:
        return [photo.key for photo in self.photos.pictures]

    def parent(self, index: int) -> str:
        """What rows call a photo that something was made from."""
        return f"{self.label}/{self.keys[index].rpartition('/')[2]}"

    def photo(self, index: int) -> Image.Image:
        if index not in self._seen:
            self._seen[index] = self.framed(self.photos.load(index))
        return self._seen[index]

    def mask(self, index: int) -> Image.Image | None:
        """Grey, white where the subject is; None where there is none. It lies beside the photo; the miniature's photos
        have one by what drew them; of others it is estimated, if that is asked for."""
        if index not in self._masks:
            found = self._mask(index) or self._estimated(index)
            self._masks[index] = None if found is None else self.framed(found)
        return self._masks[index]

    def estimated_by(self, index: int) -> str:
        """What found a photo's mask, where it was found by an algorithm."""
        picture = self.photos.pictures[index]
        if picture.mask is not None:
            return estimator_of(picture.mask.file)
        return self.estimator.said if self.estimator is not None and self._mask(index) is None else ""

    def without_mask(self) -> list[str]:
        """The keys of the photos that have none."""
        return [key for index, key in enumerate(self.keys) if self.mask(index) is None]

    def framed(self, picture: Image.Image) -> Image.Image:
        frame = Frame(*self.size)
        seen_HWC = cropped(cover(picture, frame), View(self.photos.pictures[0], frame, CENTRE, False))
        return Image.fromarray((seen_HWC[..., 0] if picture.mode == "L" else seen_HWC).numpy())

    def _mask(self, index: int) -> Image.Image | None:
        picture, source = self.photos.pictures[index], self.photos.sources[index]
        if picture.mask is not None:
            return load_mask(picture.mask)
        return drawn_mask(source, self.photos.load(index)) if isinstance(source, Path) else None

    def _estimated(self, index: int) -> Image.Image | None:
        if self.estimator is None:
            return None
        [found] = self.estimator.masks([self.photos.load(index)], [self.noun])
        return found


def taught_by(runs: Sequence[Run], *, size: tuple[int, int] | None) -> list[Taught]:
    """The subjects of finished runs, each with the photos that it was taught from. Raises ConfigError with all that is
    wrong with any."""
    problems: list[Problem | str] = []
    found: list[tuple[Run, Subject, tuple[int, int]]] = []
    for run in runs:
        try:
            found += [(run, subject, size or run.frame) for subject in _subjects(run)]
        except ConfigError as error:
            problems += [f"{run.folder.name}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    return _named(found)


def to_be_taught(plans: Sequence[Plan], *, size: tuple[int, int] | None) -> list[Taught]:
    """The subjects of runs that are planned, trained already or not."""
    square = [(plan.facts.resolution,) * 2 for plan in plans]
    return _named(
        [(plan.run, subject, size or own) for plan, own in zip(plans, square, strict=True) for subject in plan.subjects]
    )


def _subjects(run: Run) -> tuple[Subject, ...]:
    dataset: Dataset | JointDataset = rebuilt(
        run.read().config.dataset, "dataset", Dataset | JointDataset, manifest=run.manifest, trust=run.trust
    )
    if len(dataset.members) != len(run.concepts):
        refuse(run.manifest, f"it has {len(run.concepts)} subjects, and pictures of {len(dataset.members)}", REMEDY)
    problems: list[Problem | str] = []
    subjects = find_subjects(dataset, run.concepts, problems)
    if subjects is None:
        raise ConfigError(problems)
    if one_or_all([subject.pictures.fingerprint for subject in subjects]) != run.read().content.dataset:
        raise ConfigError(["these are not the pictures any more that it was trained on. Bring those back."])
    return subjects


def _named(found: Sequence[tuple[Run, Subject, tuple[int, int]]]) -> list[Taught]:
    labels = list(_labels([subject for _, subject, _ in found]))
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        several = [f"{label} by {_runs_of(label, labels, found)}" for label in twice]
        raise ConfigError(
            [
                f"run: these are taught by several runs: {'; '.join(several)}. Give one of each, or train with another "
                "dataset.subject."
            ]
        )
    return [
        Taught(label=label, subject=subject, run=run, size=size)
        for label, (run, subject, size) in zip(labels, found, strict=True)
    ]


def _labels(subjects: Sequence[Subject]) -> Iterator[str]:
    """The subjects' names; with the name in a joint run where two are equal."""
    names = [subject.dataset.subject for subject in subjects]
    for name, subject in zip(names, subjects, strict=True):
        yield f"{name} ({subject.concept.name})" if names.count(name) > 1 and subject.concept.name else name


def _runs_of(label: str, labels: Sequence[str], found: Sequence[tuple[Run, Subject, tuple[int, int]]]) -> str:
    return " and ".join(run.folder.name for own, (run, _, _) in zip(labels, found, strict=True) if own == label)
