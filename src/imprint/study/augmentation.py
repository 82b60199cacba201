"""Augmentation: what is done to a picture each time a learner sees it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor
from torch.nn import functional

from imprint.evaluation.fingerprints import settings_of
from imprint.kinds import hashed_class, of_kind

Share = Annotated[float, Ge(0), Le(1)]
GREY = (0.299, 0.587, 0.114)  # how bright red, green and blue are (ITU-R BT.601)


class Augmentation(ABC):
    """What is done to pictures, of levels from 0 to 1 and of one size. All that is random comes from the generator, and
    nothing of it depends on the pictures: it is the same in all arms."""

    mixes = False  # whether pictures of a batch are mixed with one another
    moves_masks = False  # whether `moved` says where a picture's parts go

    @abstractmethod
    def __call__(self, pictures_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        """To each picture for itself."""

    def moved(self, masks_B1HW: Tensor, generator: torch.Generator) -> Tensor:
        """Masks of the pictures, with a generator as it was for them: what is done to places alone."""
        raise NotImplementedError(f"{type(self).__name__} moves no masks")

    def mixed(self, pictures_B3HW: Tensor, targets_BK: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Afterwards: pictures of a batch with one another, and their shares of classes likewise."""
        return pictures_B3HW, targets_BK

    def identity(self) -> list[Any]:
        """All that changes what it does. It keeps every setting under its name."""
        return [hashed_class(type(self)), settings_of(self)]


@of_kind("augmentation/in_turn")
class InTurn(Augmentation):
    """Several, one after the other. `steps` are by names of the user's choice."""

    def __init__(self, *, steps: Mapping[str, Augmentation]) -> None:
        if not steps:
            raise ValueError("steps: give at least one")
        self.steps = steps

    @property
    def mixes(self) -> bool:  # type: ignore[override]
        return any(step.mixes for step in self.steps.values())

    @property
    def moves_masks(self) -> bool:  # type: ignore[override]
        return all(step.moves_masks for step in self.steps.values())

    def __call__(self, pictures_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        for step in self.steps.values():
            pictures_B3HW = step(pictures_B3HW, generator)
        return pictures_B3HW

    def moved(self, masks_B1HW: Tensor, generator: torch.Generator) -> Tensor:
        for step in self.steps.values():
            masks_B1HW = step.moved(masks_B1HW, generator)
        return masks_B1HW

    def mixed(self, pictures_B3HW: Tensor, targets_BK: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        for step in self.steps.values():
            pictures_B3HW, targets_BK = step.mixed(pictures_B3HW, targets_BK, generator)
        return pictures_B3HW, targets_BK

    def identity(self) -> list[Any]:
        return [hashed_class(type(self)), [step.identity() for step in self.steps.values()]]


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
