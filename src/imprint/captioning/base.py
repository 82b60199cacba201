"""What writes captions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from PIL import Image


class Captioner(ABC):
    """A model that is shown pictures, and says what is on each."""

    @abstractmethod
    def check(self, key: str) -> None:
        """Raises UserError, naming settings below `key`, where it cannot be used. Loads no weights."""

    @abstractmethod
    def to(self, device: torch.device) -> None:
        """Loads it there."""

    @abstractmethod
    def captions(self, pictures: Sequence[Image.Image]) -> list[str]:
        """A text for each, which may be empty, and may have lines. The same for the same pictures."""
