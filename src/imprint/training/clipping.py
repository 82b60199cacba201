"""Clipping that costs no pass of its own over the gradients."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import AdamW

from imprint.libraries.torch import divide_gradients_in_step

TINY = 1e-6  # as in torch's own clipping


@torch.no_grad()
def clip_within_step(optimizer: AdamW, parameters: Sequence[nn.Parameter], most: float) -> None:
    """As `clip_grad_norm_`, but for rounding: `optimizer`, which is fused, divides the gradients while it makes its
    next step, and leaves them divided. There must be no scaler, which uses the same place."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    divide_gradients_in_step(optimizer, ((norm + TINY) / most).clamp(min=1.0))
