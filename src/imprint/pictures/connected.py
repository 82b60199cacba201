"""Connected parts of a mask: pixels that touch along an edge. Rows are taken as runs, of which there are few."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def largest(mask_HW: Mask) -> Mask:
    """Its largest part; nothing of nothing."""
    parts_HW = parts(mask_HW)
    sizes = np.bincount(parts_HW.ravel())
    sizes[0] = 0
    return np.asarray(parts_HW == sizes.argmax()) if len(sizes) > 1 else np.zeros_like(mask_HW)


Box = tuple[int, int, int, int]  # from the left, the top; up to the right, the bottom


def around(mask_HW: Mask) -> Box | None:
    """The box around it; None around nothing."""
    rows, columns = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def filled(mask_HW: Mask) -> Mask:
    """With its holes: what cannot be reached from the edge of the picture."""
    outside_HW = parts(~mask_HW)
    edges = (outside_HW[0], outside_HW[-1], outside_HW[:, 0], outside_HW[:, -1])
    return ~(np.isin(outside_HW, np.unique(np.concatenate(edges))) & (outside_HW > 0))


def parts(mask_HW: Mask) -> NDArray[np.int64]:
    """Each pixel's part, counted from 1; 0 outside."""
    parent = [0]  # of a run's first name, another name of the same part
    found_HW = np.zeros(mask_HW.shape, dtype=np.int64)
    before: list[tuple[int, int, int]] = []
    for row, own_W in enumerate(mask_HW):
        runs = []
        ends = np.flatnonzero(np.diff(np.concatenate([[False], own_W, [False]]).astype(np.int8)))
        for start, stop in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True):
            name = len(parent)
            parent.append(name)
            for first, last, other in before:
                if first < stop and start < last:
                    _join(parent, name, other)
            found_HW[row, start:stop] = name
            runs.append((start, stop, name))
        before = runs
    roots = np.array([_root(parent, name) for name in range(len(parent))])
    return np.asarray(np.unique(roots, return_inverse=True)[1].reshape(-1)[found_HW], dtype=np.int64)


def _root(parent: list[int], name: int) -> int:
    while parent[name] != name:
        parent[name] = parent[parent[name]]
        name = parent[name]
    return name


def _join(parent: list[int], one: int, other: int) -> None:
    one, other = _root(parent, one), _root(parent, other)
    parent[max(one, other)] = min(one, other)
