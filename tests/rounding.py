"""How far apart two computations of the same numbers may be, where sums are made in another order.

What a kernel adds first depends on the processor, on the layout of a weight, and on how much is computed at once, so
two ways to the same number, or one way on two processors, differ in the last digits. By how much follows from
arithmetic:

- An operation is off by eps / 2 of its result at most. Roundings fall to either side, so a sum of n products is off by
  about sqrt(n) of these, relative to the size of what is added (Higham and Mary 2019, "A new approach to probabilistic
  rounding error analysis").
- A pass through a network and back is a chain of such sums, two for each layer, whose errors have nothing to do with
  each other: sqrt(2 x layers x n). Two computations have such an error each, which makes at most eps of eps / 2.

Sizes are those of the whole, never of one tensor: where parts cancel out, what remains has the parts' error. Where two
computations are one and the same, on one processor, tests ask for equality instead.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imprint.models.base import Model

LAYERS, LONGEST = 95, 288  # of the tiny models: what `counted` finds
PASS = math.sqrt(2 * LAYERS * LONGEST)  # in eps: what a prediction, or a gradient, is off by in norm
SINGLE = PASS * torch.finfo(torch.float32).eps


def counted(model: Model) -> tuple[int, int]:
    """The layers that a pass may go through, and the products in the longest sum of any."""
    layers = [
        layer for part in model.roles.values() for layer in part.modules() if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    return len(layers), max(layer.weight[0].numel() for layer in layers)


def near(losses: Iterable[float]) -> list[Any]:
    """`losses` of a run's steps, for a comparison with those of another way to them.

    Each is the mean square of the difference of two predictions of size 1: if these are off by e, it is off by
    2 sqrt(loss) e + e^2. That leaves little where it is nearly zero, as where the untuned model meets itself. Every
    step begins with what those before it have left, so e grows by one rounding with each.
    """
    errors = ((loss, step * SINGLE) for step, loss in enumerate(losses, 1))
    return [pytest.approx(loss, rel=0, abs=2 * math.sqrt(loss) * error + error**2) for loss, error in errors]


def near_weights(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor], *, rate: float, steps: int) -> bool:
    """Whether Adam has moved both alike, at a `rate` that was not exceeded.

    A step divides a gradient by its size and so moves every number by about the rate. For a number whose gradient is no
    more than a rounding the direction is chance; among gradients of all sizes that share is about one rounding. These
    numbers are off by the whole way, which in the norm of all is the root of their share.
    """
    assert mine.keys() == theirs.keys()
    apart = torch.cat([(mine[name] - weight).flatten() for name, weight in theirs.items()])
    way = rate * steps * math.sqrt(apart.numel())
    return float(apart.norm()) <= math.sqrt(SINGLE) * way


def near_tensors(mine: Sequence[Tensor], theirs: Sequence[Tensor], passes: float = 1) -> bool:
    """Whether every part of a result, such as a gradient, is as near as the whole of it allows."""
    whole = torch.cat([part.flatten() for part in theirs])
    allowed = passes * PASS * torch.finfo(whole.dtype).eps * whole.norm()
    return all(bool((one - other).norm() <= allowed) for one, other in zip(mine, theirs, strict=True))
