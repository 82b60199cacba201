"""How near an upscaler's pictures are to the photos whose small versions it enlarged, pixel by pixel and at full size:
the subject's photos, or those of other things.

Encoders shrink a picture before they look at it, and so see nothing of what an upscaler adds.
"""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric, others_of, per_picture, photos_of, shots_of
from imprint.evaluation.pairs import OTHERS, truth_of, view_of
from imprint.evaluation.records import Evidence, Needs, Photo, Shot, Value
from imprint.kinds import of_kind

HALF = 127  # of 255 levels: from there on a mask's pixel is the subject's
MOST = 100.0  # decibels: equal pictures would have infinitely many


class PixelTruth(Metric):
    """A number of each picture beside its photo: of the whole, or of the subject alone, by the photo's mask. Then,
    pictures of photos without one have no value."""

    better = "higher"
    compares_pairs = True
    masked: ClassVar[bool] = False

    def __init__(self, *, set: str) -> None:
        self.set = set

    @property
    def needs(self) -> Needs:
        return Needs(sets=(self.set,), untuned=(), encoders=(), photos=0 if self.set == OTHERS else 1)

    def measure(self, evidence: Evidence) -> list[Value]:
        is_of_others = self.set == OTHERS
        photos = others_of(evidence, self.title) if is_of_others else photos_of(evidence, "all", self.title)
        found = [(shot, truth_of(shot.request.k, photos)) for shot in shots_of(evidence, self.set, self.title)]
        measured = [(shot, value) for shot, photo in found if (value := self._of_pair(shot, photo)) is not None]
        if not measured:
            raise UserError(
                f"{self.title} of {evidence.subject}: none of its photos has a mask. Put masks beside them, or leave "
                "the metric out."
            )
        return per_picture([shot for shot, _ in measured], [value for _, value in measured])

    def _of_pair(self, shot: Shot, photo: Photo) -> float | None:
        drawn = shot.load()
        size = (drawn.height, drawn.width)
        mask = photo.mask() if self.masked else None
        if self.masked and mask is None:
            return None
        inside_HW = np.ones(size, bool) if mask is None else np.asarray(view_of(mask, size)) > HALF
        if not inside_HW.any():
            return None
        return self.compare(_levels(drawn), _levels(view_of(photo.load(), size)), torch.from_numpy(inside_HW))

    @abstractmethod
    def compare(self, drawn_3HW: Tensor, truth_3HW: Tensor, inside_HW: Tensor) -> float:
        """Of levels in [0, 1], where `inside_HW` is true."""


@of_kind("metric/psnr")
class Psnr(PixelTruth):
    """Peak signal-to-noise ratio, in decibels."""

    title = "PSNR"
    bounds = (0.0, MOST)

    def compare(self, drawn_3HW: Tensor, truth_3HW: Tensor, inside_HW: Tensor) -> float:
        ratio = peak_signal_noise_ratio(drawn_3HW[:, inside_HW], truth_3HW[:, inside_HW], data_range=1.0)
        return min(float(ratio), MOST)


@of_kind("metric/psnr_others")
class OthersPsnr(Psnr):
    """PSNR of pictures of other things."""

    title = "PSNR (others)"


@of_kind("metric/psnr_mask")
class MaskedPsnr(Psnr):
    """PSNR of the subject alone, by the masks of the photos."""

    title = "PSNR (mask)"
    masked = True


@of_kind("metric/ssim")
class Ssim(PixelTruth):
    """Structural similarity (Wang et al., 2004), of each place with what surrounds it."""

    title = "SSIM"
    bounds = (-1.0, 1.0)

    def compare(self, drawn_3HW: Tensor, truth_3HW: Tensor, inside_HW: Tensor) -> float:
        _, places_13HW = structural_similarity_index_measure(
            drawn_3HW[None], truth_3HW[None], data_range=1.0, return_full_image=True
        )
        return float(places_13HW[0][:, inside_HW].mean())


@of_kind("metric/ssim_others")
class OthersSsim(Ssim):
    """SSIM of pictures of other things."""

    title = "SSIM (others)"


@of_kind("metric/ssim_mask")
class MaskedSsim(Ssim):
    """SSIM of the subject alone, by the masks of the photos."""

    title = "SSIM (mask)"
    masked = True


def _levels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1)
