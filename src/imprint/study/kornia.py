"""kornia, which changes pictures: an extra of imprint, imported where an arm needs it. Tested with kornia 0.8.2.

Of its operations those are used that compute as Pillow's and torchvision's do. Its own TrivialAugment and RandAugment
choose one operation for a whole batch, and up to 0.8 turn and shift into one direction alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from imprint import rng
from imprint.startup import imported_with_extra


def kornia_augmentation() -> Any:
    """The module. Raises UserError where it is not installed."""
    return imported_with_extra("kornia.augmentation", extra="augmentation", key="augmentation")


@contextmanager
def sampling_from(generator: torch.Generator) -> Iterator[None]:
    """kornia samples from torch's global generator: within, by a number of this one."""
    with rng.named_layers("kornia", int(torch.randint(2**62, (), generator=generator))):
        yield
