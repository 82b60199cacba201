"""The endless stream of training samples: position p is the same sample in every process, at any time."""

import copy
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from imprint.data.framing import CENTRE, Frame, View, cover, pixels
from imprint.data.masks import pixel_weights
from imprint.data.pictures import PixelCache
from imprint.data.subject import SampleSpec, SubjectSamples
from imprint.types import Batch, Geometry

log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """What `Batch` says of one sample."""

    id: str
    caption: str
    is_prior: bool
    key: str
    geometry: Geometry
    pixels_CHW: Tensor | None
    weights_HW: Tensor | None


class TrainingStream(Dataset[list[Sample]]):
    """Per position an instance sample and, with a prior, a prior sample, of one subject.

    The subjects take turns: with position, or with steps where pictures have several frames, since the samples of a
    step share one. So each is seen equally often, however many pictures it has. `batch_size` is the global one. Without
    `with_pixels` no picture is decoded.
    """

    def __init__(self, *, subjects: Sequence[SubjectSamples], batch_size: int, with_pixels: bool) -> None:
        assert subjects
        self.subjects = tuple(subjects)
        self.with_pixels = with_pixels
        frames = {frame for subject in subjects for frame in subject.frames}
        self._turn_length = batch_size if len(frames) > 1 else 1
        self._where = {
            picture.content: (part, index)
            for subject in subjects
            for part in subject.sets
            for index, picture in enumerate(part.pictures)
        }
        self._cache = PixelCache()
        self._warn_of_small()

    def __getitem__(self, position: int) -> list[Sample]:
        return [self._sample(spec) for spec in self._specs(position)]

    def captions(self, positions: range) -> list[str]:
        """Every caption of these samples, once."""
        return list(dict.fromkeys(spec.caption for position in positions for spec in self._specs(position)))

    @property
    def why_not_cacheable(self) -> str | None:
        """Why `views` cannot stand for all samples; None if they do."""
        reasons = (subject.framing.why_not_cacheable for subject in self.subjects)
        return next((reason for reason in reasons if reason), None)

    def without_pixels(self) -> "TrainingStream":
        """The same samples, for when all views' latents are cached."""
        other = copy.copy(self)
        other.with_pixels = False
        return other

    def views(self) -> list[View]:
        """Every view that a sample can show, once. The framing must be cacheable."""
        return list({view.key: view for subject in self.subjects for view in subject.views()}.values())

    def whole_views(self, numbers: Iterable[int], frame: Frame) -> list[View]:
        """The middle of each picture of these subjects, as it is."""
        subjects = (self.subjects[number] for number in numbers)
        return [View(picture, frame, CENTRE, False) for subject in subjects for picture in subject.pictures.pictures]

    def names_of(self, keys: Sequence[str]) -> list[str]:
        """The names of the pictures that views of these keys show."""
        places = (self._where[key.partition("/")[0]] for key in keys)
        return [part.pictures[index].key for part, index in places]

    def pixels_of(self, view: View) -> Tensor:
        """C x H x W in [-1, 1]."""
        part, index = self._where[view.picture.content]
        covering = self._cache.get((view.picture.content, view.frame), lambda: cover(part.load(index), view.frame))
        return pixels(covering, view)

    def _specs(self, position: int) -> Iterator[SampleSpec]:
        turn, place = divmod(position, self._turn_length)
        round_, number = divmod(turn, len(self.subjects))
        return self.subjects[number].at(position, round_ * self._turn_length + place)

    def _sample(self, spec: SampleSpec) -> Sample:
        return Sample(
            id=spec.id,
            caption=spec.caption,
            is_prior=spec.is_prior,
            key=spec.view.key,
            geometry=spec.view.geometry,
            pixels_CHW=self.pixels_of(spec.view) if self.with_pixels else None,
            # The class is to stay as it is everywhere in a picture.
            weights_HW=None if spec.is_prior else pixel_weights(spec.view, self._cache),
        )

    def _warn_of_small(self) -> None:
        small = [key for subject in self.subjects for key in subject.too_small()]
        if small:
            log.warning("Pictures smaller than the training resolution are enlarged: %s", ", ".join(small))


def collate(positions: Sequence[Sequence[Sample]]) -> Batch:
    """All instance samples, then all prior samples, each in the order of their positions."""
    samples = sorted((sample for parts in positions for sample in parts), key=lambda sample: sample.is_prior)
    stacked = [sample.pixels_CHW for sample in samples if sample.pixels_CHW is not None]
    assert len(stacked) in (0, len(samples))
    return Batch(
        pixels_BCHW=torch.stack(stacked) if stacked else None,
        captions=[sample.caption for sample in samples],
        priors=sum(sample.is_prior for sample in samples),
        ids=[sample.id for sample in samples],
        keys=[sample.key for sample in samples],
        geometry=[sample.geometry for sample in samples],
        weights_BHW=_stacked([sample.weights_HW for sample in samples]),
    )


def _stacked(weights_HW: Sequence[Tensor | None]) -> Tensor | None:
    """In a sample without weights, all pixels count alike."""
    given = [weights for weights in weights_HW if weights is not None]
    if not given:
        return None
    return torch.stack([torch.ones_like(given[0]) if weights is None else weights for weights in weights_HW])
