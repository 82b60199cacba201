"""Scores as a table of subjects and prompts, and which of the two an interval may treat as drawn at random.

Subjects share their prompts, so prompts do not lie inside subjects: a hard prompt lowers all of a column. Training
seeds and pictures do lie inside: they are averaged to a cell, and what they vary by is in the differences of cells.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imprint.evaluation.statistics.nesting import Averaging, Numbers

Prompt = TypeVar("Prompt", bound=Hashable)

FEWEST = 3  # units, to speak of others like them in a mean
FEWEST_SUBJECTS = 5  # the same in a difference of methods, which is often skewed: of four, 91% instead of 95%
FEWEST_PROMPTS = 4  # likewise; over the prompts of a subject differences are less so
FEWEST_CLASSES = 5  # for classes to be the unit where some have several subjects
SHARED = 2  # subjects that a prompt has on average, from which on prompts are shared and not each subject's own


@dataclass(frozen=True, kw_only=True)
class Crossed:
    values: Numbers  # (rows, columns): the mean of a cell
    counts: Numbers  # (rows, columns): what a cell weighs in its row, 0 where it is missing
    weights: Numbers  # (rows,): what a row weighs in the mean; their sum is 1
    clusters: NDArray[np.int64]  # (rows,): rows of one cluster are drawn together
    rows: str | None  # what clusters are: classes, subjects, training seeds; None: they are what they are
    columns: str | None  # prompts or pictures; None likewise
    covers: str  # what an interval is about

    @property
    def drawn(self) -> tuple[str, ...]:
        return tuple(level for level in (self.rows, self.columns) if level)


def table_of_means(
    scores: Mapping[str, Sequence[Mapping[Prompt, Sequence[float]]]],
    *,
    classes: Mapping[str, str],
    averaging: Averaging,
) -> Crossed:
    """`scores` has each subject's training seeds, of each the prompts, of each the pictures' numbers; `classes` are by
    subject."""
    subjects = list(scores)
    if len(subjects) > 1:
        table = [_cells(scores[subject]) for subject in subjects]
    else:
        seeds = scores[subjects[0]]
        table = [_cells([seed]) for seed in seeds] if len(seeds) >= FEWEST else [_cells(seeds)]
    prompts = list(dict.fromkeys(prompt for row in table for prompt in row))
    rows, clusters, about = _rows(subjects, classes, len(table), FEWEST)
    if rows is None and len(subjects) == 1 and len(prompts) < FEWEST:
        return _of_pictures([list(numbers) for seed in scores[subjects[0]] for numbers in seed.values()])
    counts = np.array([[row[prompt][1] if prompt in row else 0.0 for prompt in prompts] for row in table])
    pooled = averaging == "pairs"
    return _crossed(
        values=np.array([[row[prompt][0] if prompt in row else 0.0 for prompt in prompts] for row in table]),
        counts=counts if pooled else (counts > 0).astype(float),
        weights=counts.sum(axis=1) if pooled else np.ones(len(table)),
        clusters=clusters,
        rows=rows,
        about=about,
        subjects=len(subjects),
        fewest_prompts=FEWEST,
    )


def table_of_differences(differences: Mapping[str, Mapping[Prompt, float]]) -> Crossed:
    """Of each subject the paired differences of its prompts. Classes of subjects do not matter here: what a class has
    in common is in both numbers of a pair."""
    subjects = list(differences)
    prompts = list(dict.fromkeys(prompt for row in differences.values() for prompt in row))
    rows, clusters, about = _rows(subjects, {}, len(subjects), FEWEST_SUBJECTS)
    return _crossed(
        values=np.array([[row.get(prompt, 0.0) for prompt in prompts] for row in differences.values()]),
        counts=np.array([[float(prompt in row) for prompt in prompts] for row in differences.values()]),
        weights=np.ones(len(subjects)),
        clusters=clusters,
        rows=rows,
        about=about,
        subjects=len(subjects),
        fewest_prompts=FEWEST_PROMPTS,
    )


def _cells(seeds: Sequence[Mapping[Prompt, Sequence[float]]]) -> dict[Prompt, tuple[float, float]]:
    """Of each prompt the mean over training seeds of the means of pictures, and how many numbers these are."""
    prompts = dict.fromkeys(prompt for seed in seeds for prompt in seed)
    own = {prompt: [seed[prompt] for seed in seeds if prompt in seed] for prompt in prompts}
    return {
        prompt: (float(np.mean([np.mean(pictures) for pictures in found])), float(sum(map(len, found))))
        for prompt, found in own.items()
    }


def _rows(
    subjects: Sequence[str], classes: Mapping[str, str], rows: int, fewest: int
) -> tuple[str | None, NDArray[np.int64], str]:
    """What is drawn, which cluster each row belongs to, and how it is said."""
    alone = np.arange(rows)
    if len(subjects) == 1:
        return ("training seeds", alone, "other training seeds") if rows >= fewest else (None, alone, "")
    own = [classes.get(subject, subject) for subject in subjects]
    kinds = list(dict.fromkeys(own))
    if len(kinds) == len(subjects):
        return ("subjects", alone, "other subjects") if rows >= fewest else (None, alone, "")
    if len(kinds) >= FEWEST_CLASSES:
        clusters = np.array([kinds.index(kind) for kind in own])
        return "classes", clusters, f"subjects of other classes than these {len(kinds)}"
    of_these = f"of these {len(kinds)} classes" if len(kinds) > 1 else "of this class"
    return ("subjects", alone, f"other subjects {of_these}") if rows >= fewest else (None, alone, "")


def _crossed(
    *,
    values: Numbers,
    counts: Numbers,
    weights: Numbers,
    clusters: NDArray[np.int64],
    rows: str | None,
    about: str,
    subjects: int,
    fewest_prompts: int,
) -> Crossed:
    width = counts.shape[1]
    is_shared = subjects == 1 or np.count_nonzero(counts) >= SHARED * width
    columns = "prompts" if is_shared and width >= fewest_prompts else None
    others = " and ".join(part for part in (about, "other prompts" if columns else "") if part)
    those = "this subject" if subjects == 1 else f"these {subjects} subjects"
    only = [those] if subjects == 1 or rows is None else []
    if columns is None and is_shared and width > 1:
        only.append(f"these {width} prompts")
    return Crossed(
        values=values,
        counts=counts,
        weights=weights / weights.sum(),
        clusters=clusters,
        rows=rows,
        columns=columns,
        covers=f"{others} like these{f'; {_listed(only)} alone' if only else ''}" if others else "",
    )


def _of_pictures(numbers: Sequence[Sequence[float]]) -> Crossed:
    """A row a prompt, a column the first picture of each, the second, ...: so few prompts are what they are."""
    width = min(map(len, numbers))
    height = len(numbers)
    return Crossed(
        values=np.array([row[:width] for row in numbers]),
        counts=np.ones((height, width)),
        weights=np.full(height, 1 / height),
        clusters=np.arange(height),
        rows=None,
        columns="pictures" if width >= FEWEST else None,
        covers="other pictures like these; this subject and its prompts alone",
    )


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(parts)
