"""Nested scores: subjects have training seeds, these have prompts, these have pictures.

A tree is an array of numbers (the pictures of a prompt) or a list of trees. Branches may differ in size: a blank
picture, a failed run, a subject with fewer prompts.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Literal, NamedTuple, TypeAlias

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


class Replicates(NamedTuple):
    mean: float  # over seeds first, then over subjects
    spread: float | None  # over seeds, within a subject; None where no subject has two seeds
    seeds: tuple[int, int]  # the fewest and the most that a subject has


def replicates(by_subject: Sequence[Sequence[float]]) -> Replicates:
    """`spread` is the root of the mean variance (n - 1), over the subjects that have several seeds."""
    assert by_subject
    assert all(by_subject)
    variances = [np.var(scores, ddof=1) for scores in by_subject if len(scores) > 1]
    counts = [len(scores) for scores in by_subject]
    return Replicates(
        mean=float(np.mean([np.mean(scores) for scores in by_subject])),
        spread=float(np.sqrt(np.mean(variances))) if variances else None,
        seeds=(min(counts), max(counts)),
    )


def _macro(tree: Tree) -> float:
    return float(tree.sum()) / len(tree) if isinstance(tree, np.ndarray) else fmean(map(_macro, tree))
