"""Where in a picture its subject usually stands: what is off there shows more than what is off elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

MIDDLE, REACH = (0.5, 0.5), 0.22  # shares of a picture's side


def middle_of(side: int) -> Tensor:
    """1 in the middle, falling to nothing towards the borders of a picture, or of a latent, of `side` cells."""
    across = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(across, across, indexing="ij")
    return torch.exp(-((x - MIDDLE[0]).square() + (y - MIDDLE[1]).square()) / (2 * REACH**2))
