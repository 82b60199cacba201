"""The interface of learners. None of them ever sees a photo to test on before it has learned: what is chosen is chosen
by photos to train on."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.records import Features, Needs
from imprint.study.examples import Example
from imprint.study.order import Training

# What a task may ask of each picture: the probabilities of classes; a representation; a class for each pixel; a box of
# each class, and how sure it is.
Gives = Literal["probabilities", "features", "maps", "boxes"]
ABOUT_PLACES: tuple[Gives, ...] = ("maps", "boxes")  # which are learned from masks

NO_NEEDS = Needs(sets=(), untuned=(), encoders=(), photos=0)


class Tools(NamedTuple):
    """`features` are those of `encoders` as they are, by role."""

    features: Features
    encoders: Mapping[str, Encoder]
    device: torch.device


class Learned(Protocol):
    """`choices` are the settings that were chosen; `weights` is a hash of what was learned."""

    @property
    def choices(self) -> Mapping[str, float]: ...

    @property
    def weights(self) -> str: ...

    def probabilities(self, examples: Sequence[Example]) -> Tensor:
        """(N, K), on the CPU, in double."""


class Representing(Learned, Protocol):
    """What a learner leaves that gives features."""

    def features(self, examples: Sequence[Example]) -> Tensor:
        """(N, D), on the CPU, not normalised: cosines between them say how like pictures are."""


class Segmenting(Learned, Protocol):
    """What a learner leaves that gives maps."""

    def maps(self, examples: Sequence[Example]) -> Tensor:
        """(N, H, W) in uint8, the whole picture in each whatever its shape: 0 for what is of no class, else the class's
        number from 1 on."""


class Detecting(Learned, Protocol):
    """What a learner leaves that gives boxes."""

    def boxes(self, examples: Sequence[Example]) -> Tensor:
        """(N, K, 5), in double: left, top, right, bottom as shares of the picture's sides, and from 0 to 1 how sure it
        is. All are 0 for what is not found."""


class Learner(ABC):
    """What a `learners` configuration constructs. It keeps every setting under its name, for its identity."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"probabilities"})

    @property
    def needs(self) -> Needs:
        """The encoders that it looks with."""
        return NO_NEEDS

    def problems(self, encoders: Mapping[str, Encoder], key: str) -> Iterator[str]:
        """Why it could not learn with these. `key` is its place in the user's configuration."""
        return iter(())

    @abstractmethod
    def learn(self, training: Training, tools: Tools) -> Learned: ...


def weights_hash(weights: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
