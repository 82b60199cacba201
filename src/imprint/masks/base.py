"""The interface of estimators of masks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

HALF = 127  # of 255 levels: above, a pixel of a mask is the subject's
LEAST, MOST = 0.005, 0.98  # shares of a picture, below and above which nothing was found


class Estimator(ABC):
    """What a `masks` configuration constructs. It keeps every setting under its name."""

    reads_nouns: ClassVar[bool] = False  # whether it must be told what is shown

    def __init__(self) -> None:
        self.device = torch.device("cpu")

    @property
    @abstractmethod
    def name(self) -> str:
        """As rows and messages call it."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all that its masks depend on."""

    @property
    def said(self) -> str:
        """What a mask says it was found by."""
        return f"{self.name} {self.fingerprint[:12]}"

    def check(self, key: str) -> None:  # noqa: B027 - without weights there is nothing to check
        """Raises UserError where its weights are not there, or of another kind. Reads no weights yet."""

    def to(self, device: torch.device) -> None:
        """Sets the device on which it computes."""
        self.device = device

    @abstractmethod
    def masks(self, pictures: Sequence[Image.Image], nouns: Sequence[str]) -> list[Image.Image | None]:
        """Of pictures in RGB: black and white, of their size; None where nothing was found, or all of a picture."""


def as_mask(is_own_HW: Tensor, size: tuple[int, int]) -> Image.Image | None:
    """From how sure it is of each place, above 0 where it is the subject's, to a mask of a picture of this size."""
    sure = Image.fromarray(is_own_HW.float().cpu().numpy()).resize(size, Image.Resampling.BILINEAR)
    own_HW = np.asarray(sure) > 0
    if not LEAST <= own_HW.mean() <= MOST:
        return None
    return Image.fromarray((own_HW * 255).astype(np.uint8))
