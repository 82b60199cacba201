"""masks=border: what is unlike the left and right edges of its row. It needs no weights, and works for one thing in the
middle of a plain place: a wall, a meadow below a sky."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray
from PIL import Image

from imprint.evaluation.fingerprints import fingerprint, settings_of
from imprint.kinds import hashed_class, of_kind
from imprint.masks.base import Estimator, as_mask
from imprint.pictures.connected import filled, largest

Levels = NDArray[np.float64]
LEVELS = 64  # of distance, between which the border is looked for


@of_kind("masks/border")
class Border(Estimator):
    """The distance of a pixel's colour from the nearest of its row's edges divides the subject from the place (Otsu,
    1979). The largest part is the subject, with its holes.

    side       pixels of the longer side at which it looks; smaller pictures as they are
    edge       how much of the left and the right is taken for the place, as a share of the width
    threshold  times Otsu's: lower finds more
    """

    name = "border"

    def __init__(
        self,
        *,
        side: Annotated[int, Ge(16), Le(2048)],
        edge: Annotated[float, Gt(0), Lt(0.5)],
        threshold: Annotated[float, Gt(0)],
    ) -> None:
        super().__init__()
        self.side = side
        self.edge = edge
        self.threshold = threshold

    @property
    def fingerprint(self) -> str:
        return fingerprint([hashed_class(type(self)), settings_of(self)])

    def masks(self, pictures: Sequence[Image.Image], nouns: Sequence[str]) -> list[Image.Image | None]:
        return [self._mask(picture.convert("RGB")) for picture in pictures]

    def _mask(self, picture: Image.Image) -> Image.Image | None:
        small = picture.copy()
        small.thumbnail((self.side, self.side), Image.Resampling.LANCZOS)
        distance_HW = self._distance(np.asarray(small, dtype=np.float64))
        if not distance_HW.any():
            return None
        distance_HW = _blurred(_blurred(distance_HW).T).T
        own_HW = filled(largest(distance_HW > self.threshold * _otsu(distance_HW)))
        return as_mask(torch.from_numpy(own_HW * 2.0 - 1), picture.size)

    def _distance(self, levels_HW3: Levels) -> Levels:
        width = max(1, round(self.edge * levels_HW3.shape[1]))
        edges_HE3 = np.concatenate([levels_HW3[:, :width], levels_HW3[:, -width:]], axis=1)
        distances_EHW = [
            np.square(levels_HW3 - edges_HE3[:, place, None]).sum(axis=2) for place in range(edges_HE3.shape[1])
        ]
        return np.asarray(np.sqrt(np.min(distances_EHW, axis=0)))


def _blurred(values_HW: Levels) -> Levels:
    """With the rows above and below: a single pixel is no subject."""
    padded = np.pad(values_HW, ((1, 1), (0, 0)), mode="edge")
    return np.asarray((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)


def _otsu(values: Levels) -> float:
    """The bound between two kinds of numbers that leaves the least variance within them."""
    counts_L, bounds = np.histogram(values, LEVELS)
    middles_L = (bounds[1:] + bounds[:-1]) / 2
    below_L, sums_L = np.cumsum(counts_L), np.cumsum(counts_L * middles_L)
    total, mean = below_L[-1], sums_L[-1] / below_L[-1]
    between_L = np.square(mean * below_L - sums_L)[:-1] / (below_L * (total - below_L)).clip(1)[:-1]
    return float(middles_L[between_L.argmax()])
