"""One subject's part of the stream: which of its pictures a sample shows, how, and under which caption."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from imprint import rng
from imprint.data.framing import Frame, Framing, View
from imprint.data.order import Order
from imprint.data.pictures import Picture, PictureSet


class PriorPictures(NamedTuple):
    """Prior samples show these pictures."""

    pictures: PictureSet
    captions: Sequence[str]


class SamePictures(NamedTuple):
    """Prior samples show what the instance sample at the same position shows, under another caption."""

    captions: Sequence[str]


class SampleSpec(NamedTuple):
    """What a sample shows, before any pixel is read."""

    id: str
    view: View
    caption: str
    is_prior: bool


class SubjectSamples:
    """Samples of one subject, and with a prior as many of its class.

    A sample of a picture without a caption of its own has a random one of `captions`. Of the instance samples, a share
    `caption_dropout` has the empty caption. `number` tells the subjects of a run apart: their orders are their own.
    """

    def __init__(
        self,
        *,
        number: int,
        pictures: PictureSet,
        captions: Sequence[str],
        caption_dropout: float,
        prior: PriorPictures | SamePictures | None,
        framing: Framing,
        seed: int,
        batch_size: int,
    ) -> None:
        assert captions
        assert prior is None or prior.captions
        self.pictures = pictures
        self.captions = tuple(captions)
        self.caption_dropout = caption_dropout
        self.prior = prior
        self.framing = framing
        self.seed = seed
        self.frames = [framing.frame_of(picture.size) for picture in pictures.pictures]
        own = f" {number}" if number else ""
        self._order = Order(seed=seed, stream=f"instance{own}", buckets=self.frames, batch_size=batch_size)
        if isinstance(prior, PriorPictures):
            # One bucket: a prior sample takes the frame of its step.
            buckets = [None] * len(prior.pictures)
            self._prior_order = Order(seed=seed, stream=f"prior{own}", buckets=buckets, batch_size=batch_size)

    def at(self, position: int, turn: int) -> Iterator[SampleSpec]:
        """The samples of the stream's `position`, which is this subject's `turn`-th."""
        name, index = f"instance/{position}", self._order[turn]
        picture = self.pictures.pictures[index]
        view = self._view(picture, self.frames[index], name)
        yield SampleSpec(name, view, self._caption(name, picture), is_prior=False)
        if self.prior is not None:
            name = f"prior/{position}"
            yield SampleSpec(
                name,
                self._prior_view(name, turn, view, self.prior),
                self._random_caption(name, self.prior.captions),
                True,
            )

    @property
    def sets(self) -> list[PictureSet]:
        """All pictures that samples show."""
        return [self.pictures, *([self.prior.pictures] if isinstance(self.prior, PriorPictures) else [])]

    def views(self) -> Iterator[View]:
        """Every view that a sample can show. The framing must be cacheable."""
        pairs = [*zip(self.pictures.pictures, self.frames, strict=True)]
        if isinstance(self.prior, PriorPictures):
            frames = sorted(set(self.frames))
            pairs += [(picture, frame) for picture in self.prior.pictures.pictures for frame in frames]
        for picture, frame in pairs:
            yield from self.framing.views(picture, frame)

    def too_small(self) -> list[str]:
        """The keys of the pictures that must be enlarged to fill their frame."""
        return [key for part in self.sets for key in self.framing.too_small(part.pictures)]

    def _prior_view(self, name: str, turn: int, instance: View, prior: PriorPictures | SamePictures) -> View:
        if isinstance(prior, SamePictures):
            return instance
        return self._view(prior.pictures.pictures[self._prior_order[turn]], instance.frame, name)

    def _view(self, picture: Picture, frame: Frame, sample: str) -> View:
        return self.framing.view(picture, frame, seed=self.seed, sample=sample)

    def _caption(self, sample: str, picture: Picture) -> str:
        if self.caption_dropout and rng.uniform(self.seed, "caption dropout", sample) < self.caption_dropout:
            return ""
        return picture.caption or self._random_caption(sample, self.captions)

    def _random_caption(self, sample: str, captions: Sequence[str]) -> str:
        return captions[int(rng.uniform(self.seed, "template", sample) * len(captions))]
