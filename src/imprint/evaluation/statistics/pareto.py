"""Where nothing is better in one respect without being worse in another."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Better = Literal["higher", "lower"]


def front(points: Sequence[tuple[float, float]], better: tuple[Better, Better]) -> list[int]:
    """The places of the points that no other point dominates, by rising first number. Equal points stand together."""
    if not points:
        return []
    values = np.array(points) * [1 if direction == "higher" else -1 for direction in better]
    at_least_as_good = (values[:, None] >= values[None]).all(axis=2)
    dominates = at_least_as_good & (values[:, None] > values[None]).any(axis=2)
    return sorted(np.flatnonzero(~dominates.any(axis=0)).tolist(), key=lambda index: points[index])
