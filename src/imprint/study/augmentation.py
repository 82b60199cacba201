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
    @abstractmethod
    def __call__(self, pictures_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        """Of levels from 0 to 1, of the same size. All that is random comes from the generator."""


@of_kind("augmentation/classical")
class Classical(Augmentation):
    """Mirrored, cropped and scaled back, with other brightness, contrast and colour. Not torchvision's, which is not
    needed for anything else.

    flip    how often a picture is mirrored
    crop    the least share of its area that is left
    colour  brightness, contrast and saturation are multiplied by 1 - colour to 1 + colour
    """

    def __init__(self, *, flip: Share, crop: Annotated[float, Gt(0), Le(1)], colour: Annotated[float, Ge(0), Le(0.9)]):
        self.flip = flip
        self.crop = crop
        self.colour = colour

    def __call__(self, pictures_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        count = len(pictures_B3HW)
        # In one draw: the numbers of a picture do not depend on which settings are used.
        random_B7 = torch.rand(count, 7, generator=generator)
        mirror_B = torch.where(random_B7[:, 0] < self.flip, -1.0, 1.0)
        side_B = (self.crop + (1 - self.crop) * random_B7[:, 1]).sqrt()
        shift_B2 = (1 - side_B)[:, None] * (2 * random_B7[:, 2:4] - 1)
        grid_B23 = torch.zeros(count, 2, 3)
        grid_B23[:, 0, 0], grid_B23[:, 1, 1], grid_B23[:, :, 2] = side_B * mirror_B, side_B, shift_B2
        places = functional.affine_grid(grid_B23, list(pictures_B3HW.shape), align_corners=False)
        seen = functional.grid_sample(pictures_B3HW, places, padding_mode="border", align_corners=False)
        bright, contrast, saturation = (1 + self.colour * (2 * random_B7[:, 4:, None, None, None] - 1)).unbind(dim=1)
        seen = seen * bright
        grey_B1HW = (seen * torch.tensor(GREY)[:, None, None]).sum(dim=1, keepdim=True)
        seen = grey_B1HW + (seen - grey_B1HW) * saturation
        mean_B111 = grey_B1HW.mean(dim=(2, 3), keepdim=True)
        return (mean_B111 + (seen - mean_B111) * contrast).clamp(0, 1)
