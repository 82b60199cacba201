"""The endless stream of training samples: position p is the same sample in every process, at any time."""

import copy
import logging
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from imprint import draws
from imprint.data.framing import Frame, Framing, View, cover, pixels
from imprint.data.order import Order
from imprint.data.pictures import Picture, PictureSet
from imprint.data.recent import RecentPixels
from imprint.types import Batch

log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """What `Batch` says of one sample."""

    id: str
    caption: str
    is_prior: bool
    key: str
    pixels_CHW: Tensor | None


class PriorPictures(NamedTuple):
    """Prior samples show these pictures."""

    pictures: PictureSet
    captions: Sequence[str]


class SamePictures(NamedTuple):
    """Prior samples show what the instance sample at the same position shows, under another caption."""

    captions: Sequence[str]


class TrainingStream(Dataset[list[Sample]]):
    """Per position an instance sample and, with a prior, a prior sample.

    A sample of a picture that has no caption of its own draws one of `captions`. `batch_size` is the global
    one: with buckets, the samples of a step share a frame. Without `with_pixels` nothing is decoded.
    """

    def __init__(
        self,
        *,
        pictures: PictureSet,
        captions: Sequence[str],
        prior: PriorPictures | SamePictures | None,
        framing: Framing,
        seed: int,
        batch_size: int,
        with_pixels: bool,
    ) -> None:
        assert captions
        assert prior is None or prior.captions
        self.pictures = pictures
        self.captions = tuple(captions)
        self.prior = prior
        self.framing = framing
        self.seed = seed
        self.with_pixels = with_pixels
        self._frames = [framing.frame_of(picture.size) for picture in pictures.pictures]
        self._order = Order(seed=seed, stream="instance", buckets=self._frames, batch_size=batch_size)
        self._where = {picture.content: (pictures, index) for index, picture in enumerate(pictures.pictures)}
        if isinstance(prior, PriorPictures):
            own = prior.pictures
            # One bucket: a prior sample takes the frame of its step.
            self._prior_order = Order(seed=seed, stream="prior", buckets=[None] * len(own), batch_size=batch_size)
            self._where |= {picture.content: (own, index) for index, picture in enumerate(own.pictures)}
        self._recent = RecentPixels()
        self._warn_of_small()

    def __getitem__(self, position: int) -> list[Sample]:
        name, index = f"instance/{position}", self._order[position]
        view = self._view(self.pictures.pictures[index], self._frames[index], name)
        samples = [self._sample(name, view, self.captions, is_prior=False)]
        if self.prior is not None:
            samples.append(self._prior_sample(position, view, self.prior))
        return samples

    @property
    def why_not_cacheable(self) -> str | None:
        """Why `views` cannot stand for all samples; None if they do."""
        return self.framing.why_not_cacheable

    def without_pixels(self) -> "TrainingStream":
        """The same samples, for when all views' latents are at hand."""
        other = copy.copy(self)
        other.with_pixels = False
        return other

    def views(self) -> list[View]:
        """Every view that a sample can show, once. The framing must be cacheable."""
        shown = [*zip(self.pictures.pictures, self._frames, strict=True)]
        if isinstance(self.prior, PriorPictures):
            frames = sorted(set(self._frames))
            shown += [(picture, frame) for picture in self.prior.pictures.pictures for frame in frames]
        views = (view for picture, frame in shown for view in self.framing.views(picture, frame))
        return list({view.key: view for view in views}.values())

    def pixels_of(self, view: View) -> Tensor:
        """C x H x W in [-1, 1]."""
        part, index = self._where[view.picture.content]
        covering = self._recent.get((view.picture.content, view.frame), lambda: cover(part.load(index), view.frame))
        return pixels(covering, view)

    def _prior_sample(self, position: int, instance: View, prior: PriorPictures | SamePictures) -> Sample:
        name = f"prior/{position}"
        if isinstance(prior, PriorPictures):
            picture = prior.pictures.pictures[self._prior_order[position]]
            view = self._view(picture, instance.frame, name)
        else:  # a picture's own caption tells of the subject, not of its class
            view = instance._replace(picture=instance.picture._replace(caption=None))
        return self._sample(name, view, prior.captions, is_prior=True)

    def _view(self, picture: Picture, frame: Frame, sample: str) -> View:
        return self.framing.view(picture, frame, seed=self.seed, sample=sample)

    def _sample(self, sample: str, view: View, captions: Sequence[str], *, is_prior: bool) -> Sample:
        drawn = captions[int(draws.uniform(self.seed, "template", sample) * len(captions))]
        return Sample(
            id=sample,
            caption=view.picture.caption or drawn,
            is_prior=is_prior,
            key=view.key,
            pixels_CHW=self.pixels_of(view) if self.with_pixels else None,
        )

    def _warn_of_small(self) -> None:
        own = self.prior.pictures.pictures if isinstance(self.prior, PriorPictures) else ()
        small = self.framing.too_small([*self.pictures.pictures, *own])
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
        is_prior_B=torch.tensor([sample.is_prior for sample in samples]),
        ids=[sample.id for sample in samples],
        keys=[sample.key for sample in samples],
    )
