"""The interface of encoders."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NoReturn

import torch
from PIL import Image
from torch import Tensor

from imprint.errors import UserError
from imprint.evaluation.records import Question, Side


class Encoder(ABC):
    """Turns pictures, and some encoders also texts, into numbers.

    Weights are read at their first use, in float32; what is returned is float32 on the CPU, not normalised.
    A method of a side that is not in `sides` raises UserError.
    """

    sides: ClassVar[frozenset[Side]]

    def __init__(self, *, name: str) -> None:
        self.name = name
        self.device = torch.device("cpu")

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Of everything that its features depend on: weights, transform, which features are taken."""

    @property
    def width(self) -> int | None:
        """How many features a picture has, where that is known without its weights."""
        return None

    def facts(self) -> Mapping[str, str]:
        """What of it a published figure can be compared with, where it has that: weights, the hash of their file;
        transform, its settings."""
        return {}

    @abstractmethod
    def check(self, key: str = "encoder") -> None:
        """Downloads the weights if necessary, and raises UserError if they are absent or of another kind.

        Reads configurations and headers only. `key` is the encoder's place in the user's configuration.
        """

    def to(self, device: torch.device | str) -> None:
        """Sets the device on which it computes."""
        self.device = torch.device(device)

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """(N, D)"""
        self._refuse("images")

    def texts(self, texts: Sequence[str]) -> Tensor:
        """(N, D), in the space of `images`."""
        self._refuse("texts")

    def layers(self, pictures: Sequence[Image.Image]) -> list[Tensor]:
        """Of each depth: (N, L, D)"""
        self._refuse("layers")

    def answers(self, pictures: Sequence[Image.Image], questions: Sequence[Question]) -> Tensor:
        """(N,), of each picture to its question: from 0 (no) to 1 (yes)"""
        self._refuse("answers")

    def patches(self, pictures: Sequence[Image.Image]) -> Tensor:
        """(N, H, W, D), of whole pictures, which are stretched to a square"""
        self._refuse("patches")

    def _refuse(self, side: Side) -> NoReturn:
        raise UserError(f"{self.name} has no {side}; it offers {', '.join(sorted(self.sides))}. Give another encoder.")
