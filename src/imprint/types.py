"""Values that are passed between packages.

Shape suffixes, here and everywhere: B samples, C channels, H height, W width, L tokens, D features. A suffix on a
latent counts latent pixels.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from PIL import Image

from imprint.kinds import hashed_settings, of_kind

if TYPE_CHECKING:  # who reads of runs and scores computes nothing
    import torch
    from torch import Tensor
    from torch.nn import Parameter


class Concept(NamedTuple):
    """What is taught: the word that will name it, and its class noun.

    `name` is the subject's name in a run of several; empty in a run of one.
    """

    identifier: str
    noun: str
    name: str = ""

    def fill(self, template: str) -> str:
        """`template` with {identifier} and {noun} replaced."""
        return template.format(identifier=self.identifier, noun=self.noun)

    def fill_caption(self, caption: str) -> str:
        """The same for a text of the user's, in which any other braces are left as they are."""
        return caption.replace("{identifier}", self.identifier).replace("{noun}", self.noun)

    def key(self, setting: str) -> str:
        """The configuration key of one of its settings."""
        return f"dataset.subjects.{self.name}.{setting}" if self.name else f"dataset.{setting}"

    def is_in(self, caption: str) -> bool:
        """Whether a text of the user's has the identifier, or a placeholder for it."""
        word = rf"(?<!\w){re.escape(self.identifier)}(?!\w)"
        return re.search(word, self.fill_caption(caption), re.IGNORECASE) is not None


def prompts_of(template: str, concepts: Sequence[Concept]) -> list[str]:
    """`template` for each concept. One that names its concepts ({a.identifier}), or has none, gives one prompt."""
    named = {concept.name: concept for concept in concepts if concept.name}
    filled = (template.format(identifier=own.identifier, noun=own.noun, **named) for own in concepts)
    return list(dict.fromkeys(filled))


class Moments(NamedTuple):
    """The Gaussian over latents that the autoencoder gives for a picture, in the scale of the denoiser's input."""

    mean_BCHW: "Tensor"
    std_BCHW: "Tensor"


# Input of the denoiser besides the noisy latent: named tensors, samples first. For texts of different lengths,
# `name_mask` is true where `name` is not padding.
Conditioning: TypeAlias = Mapping[str, "Tensor"]


class Geometry(NamedTuple):
    """Size and crop of a picture in pixels, each (height, width) or (top, left).

    `original` is the size of its file, `crop` the corner of the crop in the scaled picture, `target` the crop's size.
    """

    original: tuple[int, int]
    crop: tuple[int, int]
    target: tuple[int, int]

    @classmethod
    def whole(cls, height: int, width: int) -> "Geometry":
        """Of a picture that is neither scaled nor cropped, or is generated."""
        return cls((height, width), (0, 0), (height, width))


class Batch(NamedTuple):
    """Instance samples, and behind them `priors` prior samples.

    `ids` name the samples in the run's stream: all randomness of a sample derives from (seed, id).
    `keys` name the views (a picture, framed): what latents are cached by.
    `pixels_BCHW` is in [-1, 1], and None when every view's moments are cached.
    `geometry` is the size and crop of each picture.
    `weights_BHW` are the weights of pixels in their sample's loss; None where all are equal.
    """

    pixels_BCHW: "Tensor | None"
    captions: list[str]
    priors: int
    ids: list[str]
    keys: list[str]
    geometry: list[Geometry]
    weights_BHW: "Tensor | None" = None

    def prior_mask(self, device: "torch.device") -> "Tensor":
        """True for the prior samples."""
        import torch

        return torch.arange(len(self.ids), device=device) >= len(self.ids) - self.priors


class Losses(NamedTuple):
    """`per_sample_B` is weighted; `instance` and `prior` are means over their samples; total = instance + w * prior.

    Without prior samples there is no such mean: `prior` is NaN, and has no part in the total.
    """

    total: "Tensor"
    instance: "Tensor"
    prior: "Tensor"
    per_sample_B: "Tensor"


class Window(NamedTuple):
    """The steps in which something trains: from `start`, up to but without `stop` (None: to the end)."""

    start: int
    stop: int | None

    def holds(self, step: int) -> bool:
        return self.start <= step and (self.stop is None or step < self.stop)


ALWAYS = Window(0, None)


class ParamGroup(NamedTuple):
    """Parameters that train together, with learning rate `lr`, in the steps of their window."""

    name: str
    params: "list[Parameter]"
    lr: float
    window: Window


@of_kind("sampler/diffusers")
class Sampler(NamedTuple):
    """How pictures are generated: a diffusers scheduler's class name (or "model": the checkpoint's own), and its
    use."""

    scheduler: str
    steps: int
    guidance: float
    negative_prompt: str

    def hashed(self) -> dict[str, Any]:
        """The settings by which pictures are identified."""
        return hashed_settings(type(self), self._asdict())


class Beginning(NamedTuple):
    """What pictures are drawn from, where it is not noise alone (SDEdit, arXiv 2108.01073).

    pictures  one for each that is drawn, of its size
    strength  how much noise they are given: the share of the sampler's steps that are left, in (0, 1]
    kept      grey pictures of the same size: what is white stays as it was, but for what the autoencoder makes of it;
              None: nothing is kept by force
    """

    pictures: Sequence[Image.Image]
    strength: float
    kept: Sequence[Image.Image] | None

    def only(self, index: int) -> "Beginning":
        kept = None if self.kept is None else self.kept[index : index + 1]
        return Beginning(self.pictures[index : index + 1], self.strength, kept)


class LowRes(NamedTuple):
    """What an upscaler enlarges.

    pictures  one for each that is drawn, smaller than it by the upscaler's factor
    level     of the noise that they are given; None: as in its training
    """

    pictures: Sequence[Image.Image]
    level: int | None

    def only(self, index: int) -> "LowRes":
        return LowRes(self.pictures[index : index + 1], self.level)


class Tiles(NamedTuple):
    """The overlapping squares in which a large picture is drawn, so that memory is bounded by one of them.

    size     pixels on a side
    overlap  pixels that neighbours have in common, at least
    batch    how many the denoiser sees at a time: changes memory and time alone
    """

    size: int
    overlap: int
    batch: int
