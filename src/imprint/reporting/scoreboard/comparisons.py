"""Each contestant against each other, on the subjects that both were scored on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from imprint.evaluation.statistics.comparing import (
    holm,
    rank_biserial,
    sign_flip_p,
    smallest_p,
    standardised_difference,
    wilcoxon_p,
)
from imprint.evaluation.statistics.intervals import Interval, interval
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.scores import Forest, prompt_means, unit_means

CALLED_SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`first` less `second`, paired by `unit`. The p-values `holm_` are corrected for all pairs of the column."""

    column: str
    first: str
    second: str
    unit: str  # subjects, or prompts where there is one subject
    units: int
    difference: float
    interval: Interval | None
    p: float
    p_holm: float
    p_wilcoxon: float
    p_wilcoxon_holm: float
    hedges_g: float | None
    rank_biserial: float


@dataclass(frozen=True, kw_only=True)
class NotCompared:
    column: str
    first: str
    second: str
    why: str


def compared(
    contestants: Sequence[Entry], column: ScoreColumn, forests: Mapping[str, Forest], *, draws: int, seed: int
) -> tuple[list[Comparison], list[NotCompared]]:
    """All pairs that both have numbers in this column, and those of them that have too little in common."""
    found: list[Comparison] = []
    missing: list[NotCompared] = []
    for first, second in combinations([entry.label for entry in contestants], 2):
        if not forests[first] or not forests[second]:  # the tables show the gap
            continue
        unit, left, right = _paired(forests[first], forests[second], column)
        if len(left) < 2:
            common = "one number" if len(left) == 1 else "no subject"
            why = f"they have {common} in common"
            missing.append(NotCompared(column=column.key, first=first, second=second, why=why))
            continue
        differences = left - right
        found.append(
            Comparison(
                column=column.key,
                first=first,
                second=second,
                unit=unit,
                units=len(differences),
                difference=float(differences.mean()),
                interval=interval(differences, levels=(unit,), draws=draws, seed=seed),
                p=sign_flip_p(differences),
                p_holm=1.0,
                p_wilcoxon=wilcoxon_p(differences),
                p_wilcoxon_holm=1.0,
                hedges_g=standardised_difference(differences),
                rank_biserial=rank_biserial(differences),
            )
        )
    corrected = holm([each.p for each in found])
    corrected_wilcoxon = holm([each.p_wilcoxon for each in found])
    return [
        replace(each, p_holm=p, p_wilcoxon_holm=p_wilcoxon)
        for each, p, p_wilcoxon in zip(found, corrected, corrected_wilcoxon, strict=True)
    ], missing


def powerless(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Says where no result could have been called significant, however one-sided."""
    for units, unit in dict.fromkeys((each.units, each.unit) for each in comparisons):
        pairs = max(
            sum(other.column == each.column for other in comparisons)
            for each in comparisons
            if (each.units, each.unit) == (units, unit)
        )
        alone, corrected = smallest_p(units), min(1.0, pairs * smallest_p(units))
        if alone > CALLED_SIGNIFICANT:
            yield (
                f"With {units} {unit} the smallest possible p is {alone:.3g}: no difference, however clear, can reach "
                f"p < {CALLED_SIGNIFICANT}. It takes 6 at least."
            )
        elif corrected > CALLED_SIGNIFICANT:
            yield (
                f"With {units} {unit} and {pairs} pairs the smallest possible corrected p is {corrected:.3g}: no "
                f"difference, however clear, can reach p < {CALLED_SIGNIFICANT}. Compare fewer, or take more {unit}."
            )
    if any(each.unit == "prompts" for each in comparisons):
        yield (
            "With one subject the tests are over its prompts. They say whether the methods differ on this subject, and "
            "nothing about others."
        )


def _paired(first: Forest, second: Forest, column: ScoreColumn) -> tuple[str, np.ndarray, np.ndarray]:
    common = [subject for subject in first if subject in second]
    left = unit_means({subject: first[subject] for subject in common}, column.averaging)
    right = unit_means({subject: second[subject] for subject in common}, column.averaging)
    unit = "subjects"
    if len(common) == 1:
        unit, subject = "prompts", common[0]
        left, right = prompt_means({subject: first[subject]}), prompt_means({subject: second[subject]})
    shared = [name for name in left if name in right]
    return unit, np.array([left[name] for name in shared]), np.array([right[name] for name in shared])
