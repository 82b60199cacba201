"""Augmentation that mixes the pictures of a batch, by kornia: MixUp and CutMix. Labels become shares of classes."""

from abc import abstractmethod
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from imprint.kinds import of_kind
from imprint.study.augmentation import Augmentation
from imprint.study.kornia import kornia_augmentation, sampling_from

KEYS = ["input", "class"]  # what is mixed: the pictures, and their numbers in the batch


class Mixing(Augmentation):
    """Each picture of a batch has a partner in it, perhaps itself."""

    mixes = True

    def __call__(self, pictures_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        return pictures_B3HW

    def mixed(self, pictures_B3HW: Tensor, targets_BK: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        numbers_B = torch.arange(len(pictures_B3HW), dtype=torch.float32)
        with sampling_from(generator), torch.no_grad():
            mixed_B3HW, pairs_B3 = self._mix(pictures_B3HW, numbers_B)
        partner_B = pairs_B3[:, 1].long()
        share_B1 = pairs_B3[:, 2:].to(targets_BK)
        return mixed_B3HW, (1 - share_B1) * targets_BK + share_B1 * targets_BK[partner_B]

    @abstractmethod
    def _mix(self, pictures_B3HW: Tensor, numbers_B: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures, and (B, 3): own number, the partner's, and the partner's share."""


@of_kind("augmentation/mixup")
class MixUp(Mixing):
    """MixUp (arXiv 1710.09412): the pixels of two pictures, weighted. The partner's share is uniform, which is the
    paper's beta distribution with an alpha of 1; each pair has its own.

    least, most   the partner's share
    """

    def __init__(self, *, least: Annotated[float, Ge(0), Le(1)], most: Annotated[float, Ge(0), Le(1)]) -> None:
        if least > most:
            raise ValueError(f"least={least}: it must not exceed most={most}")
        self.least = least
        self.most = most
        self._kornia = kornia_augmentation().RandomMixUpV2(lambda_val=(least, most), data_keys=KEYS)

    def _mix(self, pictures_B3HW: Tensor, numbers_B: Tensor) -> tuple[Tensor, Tensor]:
        mixed: tuple[Tensor, Tensor] = self._kornia(pictures_B3HW, numbers_B)
        return mixed


@of_kind("augmentation/cutmix")
class CutMix(Mixing):
    """CutMix (arXiv 1905.04899): a rectangle of another picture in the place of one's own. A class's share is that of
    its pixels.

    beta   the rectangle's share of the picture is 1 less what the beta distribution (beta, beta) gives
    """

    def __init__(self, *, beta: Annotated[float, Gt(0)]) -> None:
        self.beta = beta
        made: Any = kornia_augmentation().RandomCutMixV2
        self._kornia = made(beta=beta, data_keys=KEYS, use_correct_lambda=True)

    def _mix(self, pictures_B3HW: Tensor, numbers_B: Tensor) -> tuple[Tensor, Tensor]:
        mixed_B3HW, pairs_1B3 = self._kornia(pictures_B3HW, numbers_B)
        own_B, partner_B, share_of_own_B = pairs_1B3[0].unbind(dim=1)
        return mixed_B3HW, torch.stack([own_B, partner_B, 1 - share_of_own_B], dim=1)
