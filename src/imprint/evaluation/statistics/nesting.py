"""Scores as they hang together: subjects hold training seeds, these hold prompts, these hold pictures.

A tree is an array of numbers (the pictures of a prompt) or a list of trees. Branches may differ in size: a blank
picture, a failed run, a subject with fewer prompts.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
Tree: TypeAlias = Numbers | Sequence["Tree"]
# macro: every branch counts the same, at each level. pairs: every number counts the same.
Averaging = Literal["macro", "pairs"]


def average(tree: Tree, averaging: Averaging) -> float:
    return float(np.mean(flat(tree))) if averaging == "pairs" else _macro(tree)


def flat(tree: Tree) -> Numbers:
    return tree if isinstance(tree, np.ndarray) else np.concatenate([flat(branch) for branch in tree])


def widths(tree: Tree) -> list[int]:
    """Of each level, from the top, how many branches its widest node has."""
    if isinstance(tree, np.ndarray):
        return [len(tree)]
    below = [widths(branch) for branch in tree]
    return [len(tree), *(max(level) for level in zip(*below, strict=True))]


def _macro(tree: Tree) -> float:
    return float(tree.sum()) / len(tree) if isinstance(tree, np.ndarray) else fmean(map(_macro, tree))
