"""TrivialAugment (arXiv 2103.10158), of kornia's operations: for each picture one operation, as strongly as it comes.
There is nothing to choose, which few photos would not suffice for."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from imprint.kinds import of_kind
from imprint.study.augmentation import Augmentation
from imprint.study.kornia import kornia_augmentation, sampling_from
from imprint.suggestions import nearest

Range = tuple[float, float]

# By name, from kornia's module and the range of strength. ColorJitter multiplies, where RandomBrightness adds.
RANGED: Mapping[str, Callable[[Any, Range], Any]] = {
    "rotate": lambda kornia, degrees: kornia.RandomRotation(degrees, p=1.0),
    "shear_x": lambda kornia, degrees: kornia.RandomShear((*degrees, 0.0, 0.0), p=1.0),
    "shear_y": lambda kornia, degrees: kornia.RandomShear((0.0, 0.0, *degrees), p=1.0),
    "translate_x": lambda kornia, shares: kornia.RandomTranslate(translate_x=shares, p=1.0),
    "translate_y": lambda kornia, shares: kornia.RandomTranslate(translate_y=shares, p=1.0),
    "brightness": lambda kornia, factors: kornia.ColorJitter(brightness=factors, p=1.0),
    "contrast": lambda kornia, factors: kornia.ColorJitter(contrast=factors, p=1.0),
    "colour": lambda kornia, factors: kornia.ColorJitter(saturation=factors, p=1.0),
    "sharpness": lambda kornia, factors: kornia.RandomSharpness(factors, p=1.0),
    "posterize": lambda kornia, bits: kornia.RandomPosterize(bits, p=1.0),
    "solarize": lambda kornia, thresholds: kornia.RandomSolarize(thresholds, additions=0.0, p=1.0),
}
PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "identity": lambda kornia: torch.nn.Identity(),
    "auto_contrast": lambda kornia: kornia.RandomAutoContrast(p=1.0),
    "equalize": lambda kornia: kornia.RandomEqualize(p=1.0),
    "invert": lambda kornia: kornia.RandomInvert(p=1.0),
}


@of_kind("augmentation/trivial")
class TrivialAugment(Augmentation):
    """
    operations   by name, the range of strength, from which it is uniform; null where an operation has none
    """

    def __init__(self, *, operations: Mapping[str, Range | None]) -> None:
        if faults := list(_faults(operations)):
            raise ValueError("\n".join(faults))
        self.operations = operations
        kornia = kornia_augmentation()
        self._made = [
            PLAIN[name](kornia) if own is None else RANGED[name](kornia, own) for name, own in operations.items()
        ]

    def __call__(self, pictures_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        chosen_B = torch.randint(len(self._made), (len(pictures_B3HW),), generator=generator)
        changed_B3HW = pictures_B3HW.clone()
        with sampling_from(generator), torch.no_grad():
            for number in chosen_B.unique().tolist():
                own_B = chosen_B == number
                changed_B3HW[own_B] = self._made[number](pictures_B3HW[own_B])
        return changed_B3HW.clamp(0, 1)


def _faults(operations: Mapping[str, Range | None]) -> list[str]:
    if not operations:
        return ["operations: give at least one"]
    found = []
    for name, own in operations.items():
        if name not in {**RANGED, **PLAIN}:
            found.append(f"operations.{name}: there is no such operation; {nearest(name, {**RANGED, **PLAIN})}")
        elif name in PLAIN and own is not None:
            found.append(f"operations.{name}={list(own)}: it has no strength. Give null.")
        elif name in RANGED and own is None:
            found.append(f"operations.{name}=null: give its range, [least, most].")
        elif own is not None and own[0] > own[1]:
            found.append(f"operations.{name}={list(own)}: the first must not exceed the second.")
    return found
