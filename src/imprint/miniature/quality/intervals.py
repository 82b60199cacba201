"""Shares with the uncertainty that their counts leave."""

from __future__ import annotations

import math
from collections.abc import Iterable

Share = dict[str, float]


def share(right: Iterable[bool]) -> Share:
    """Right ones, all, their share, and Wilson's 95% interval; raises ZeroDivisionError where there are none."""
    each = list(right)
    k, n, z = sum(each), len(each), 1.959964
    p = k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return {
        "right": k,
        "of": n,
        "share": round(p, 4),
        "low": round((middle - half) / (1 + z * z / n), 4),
        "high": round((middle + half) / (1 + z * z / n), 4),
    }
