"""Classical augmentation: what is done to a picture each time a learner sees it."""

from abc import ABC, abstractmethod
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor
from torch.nn import functional

from imprint.kinds import of_kind

Share = Annotated[float, Ge(0), Le(1)]
GREY = (0.299, 0.587, 0.114)  # how bright red, green and blue are (ITU-R BT.601)


class Augmentation(ABC):
    moves_masks = False  # whether `moved` says where a picture's parts go

    @abstractmethod
    def __call__(self, pictures_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        """Of levels from 0 to 1, of the same size. All that is random comes from the generator."""

    def moved(self, masks_B1HW: Tensor, generator: torch.Generator) -> Tensor:
        """Masks of the pictures, with a generator as it was for them: what is done to places alone."""
        raise NotImplementedError(f"{type(self).__name__} moves no masks")


@of_kind("augmentation/classical")
class Classical(Augmentation):
    """Mirrored, cropped and scaled back, with other brightness, contrast and colour. Not torchvision's, which is not
    needed for anything else.

    flip    how often a picture is mirrored
    crop    the least share of its area that is left
    colour  brightness, contrast and saturation are multiplied by 1 - colour to 1 + colour
    """

    moves_masks = True

    def __init__(self, *, flip: Share, crop: Annotated[float, Gt(0), Le(1)], colour: Annotated[float, Ge(0), Le(0.9)]):
        self.flip = flip
        self.crop = crop
        self.colour = colour

    def __call__(self, pictures_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        random_B7 = self._random(pictures_B3HW, generator)
        seen = self._cut(pictures_B3HW, random_B7)
        bright, contrast, saturation = (1 + self.colour * (2 * random_B7[:, 4:, None, None, None] - 1)).unbind(dim=1)
        seen = seen * bright
        grey_B1HW = (seen * torch.tensor(GREY)[:, None, None]).sum(dim=1, keepdim=True)
        seen = grey_B1HW + (seen - grey_B1HW) * saturation
        mean_B111 = grey_B1HW.mean(dim=(2, 3), keepdim=True)
        return (mean_B111 + (seen - mean_B111) * contrast).clamp(0, 1)

    def moved(self, masks_B1HW: Tensor, generator: torch.Generator) -> Tensor:
        return self._cut(masks_B1HW, self._random(masks_B1HW, generator))

    def _random(self, pictures_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        """In one draw: the numbers of a picture do not depend on which settings are used."""
        return torch.rand(len(pictures_BCHW), 7, generator=generator)

    def _cut(self, pictures_BCHW: Tensor, random_B7: Tensor) -> Tensor:
        """Mirrored, cropped and scaled back."""
        mirror_B = torch.where(random_B7[:, 0] < self.flip, -1.0, 1.0)
        side_B = (self.crop + (1 - self.crop) * random_B7[:, 1]).sqrt()
        shift_B2 = (1 - side_B)[:, None] * (2 * random_B7[:, 2:4] - 1)
        grid_B23 = torch.zeros(len(pictures_BCHW), 2, 3)
        grid_B23[:, 0, 0], grid_B23[:, 1, 1], grid_B23[:, :, 2] = side_B * mirror_B, side_B, shift_B2
        places = functional.affine_grid(grid_B23, list(pictures_BCHW.shape), align_corners=False)
        return functional.grid_sample(pictures_BCHW, places, padding_mode="border", align_corners=False)
