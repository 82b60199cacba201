"""Each contestant against each other, on the prompts of subjects that both have numbers of; and beside published
figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from imprint.evaluation.published import Claim, claims, drawn_otherwise, measured_otherwise
from imprint.evaluation.statistics.comparing import (
    holm,
    rank_biserial,
    sign_flip_p,
    smallest_p,
    standardised_difference,
    wilcoxon_p,
)
from imprint.evaluation.statistics.intervals import Interval
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.pairing import Unit, paired
from imprint.reporting.scoreboard.scores import Asked, Forest

SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`first` less `second`, paired by `unit`. The p-values `_holm` are corrected for all pairs of the column, the one
    `_all` for all pairs of all columns."""

    column: str
    first: str
    second: str
    unit: Unit
    units: int
    prompts: int  # (subject, prompt) pairs that both have
    lost: int  # those that one of them has not, of the common subjects
    difference: float
    interval: Interval | None
    p: float
    p_holm: float
    p_holm_all: float
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
    contestants: Sequence[Entry],
    column: ScoreColumn,
    forests: Mapping[str, Forest],
    asked: Asked,
    *,
    draws: int,
    seed: int,
) -> tuple[list[Comparison], list[NotCompared]]:
    """All pairs that both have numbers in this column, and those of them that have too little in common."""
    found: list[Comparison] = []
    missing: list[NotCompared] = []
    for first, second in combinations([entry.label for entry in contestants], 2):
        if not forests[first] or not forests[second]:  # the tables show the gap
            continue
        pairs = paired(forests[first], forests[second], column.averaging)
        if pairs.prompts < 2:
            common = "one number" if pairs.prompts else "no prompt of a subject"
            why = f"they have {common} in common"
            missing.append(NotCompared(column=column.key, first=first, second=second, why=why))
            continue
        differences = pairs.differences
        found.append(
            Comparison(
                column=column.key,
                first=first,
                second=second,
                unit=pairs.unit,
                units=len(differences),
                prompts=pairs.prompts,
                lost=sum(len(asked[subject]) for subject in pairs.first) - pairs.prompts,
                difference=float(differences.mean()),
                interval=pairs.interval(draws=draws, seed=seed, within=column.facts.bounds),
                p=sign_flip_p(differences),
                p_holm=1.0,
                p_holm_all=1.0,
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


def corrected_for_all(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Who looks at several metrics and reports the clearest has made all of their tests."""
    corrected = holm([each.p for each in comparisons])
    return [replace(each, p_holm_all=p) for each, p in zip(comparisons, corrected, strict=True)]


def low_power_notes(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Where no result could be significant, because there are too few units."""
    for units, unit in dict.fromkeys((each.units, each.unit) for each in comparisons):
        pairs = max(
            sum(other.column == each.column for other in comparisons)
            for each in comparisons
            if (each.units, each.unit) == (units, unit)
        )
        alone, corrected = smallest_p(units), min(1.0, pairs * smallest_p(units))
        if alone > SIGNIFICANT:
            yield (
                f"With {units} {unit} the smallest possible p is {alone:.3g}: no difference, however clear, can reach "
                f"p < {SIGNIFICANT}. It takes 6 at least."
            )
        elif corrected > SIGNIFICANT:
            yield (
                f"With {units} {unit} and {pairs} pairs the smallest possible corrected p is {corrected:.3g}: no "
                f"difference, however clear, can reach p < {SIGNIFICANT}. Compare fewer, or take more {unit}."
            )
    if any(each.unit == "prompts" for each in comparisons):
        yield (
            "With one subject the tests are over its prompts. They say whether the methods differ on this subject, and "
            "nothing about others."
        )


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    claim: Claim
    metrics: Mapping[str, str]  # column key -> metric, where the claim has a figure
    reasons: Sequence[str]  # why the numbers are not comparable; empty: they are, as far as is known


def published_rows(entries: Sequence[Entry], columns: Sequence[ScoreColumn]) -> list[PublishedRow]:
    """The published rows of the profiles that these columns were measured under."""
    found = []
    for claim in claims():
        of_source = {name for other in claims() if other.source == claim.source for name in other.scores}
        ours = [column for column in columns if column.profile == claim.profile and column.name in of_source]
        if metrics := {column.key: column.name for column in ours if column.name in claim.scores}:
            found.append(PublishedRow(claim=claim, metrics=metrics, reasons=list(_incomparable(claim, entries, ours))))
    return found


def _incomparable(claim: Claim, entries: Sequence[Entry], columns: Sequence[ScoreColumn]) -> Iterator[str]:
    contestants = [entry for entry in entries if entry.role == "contestant"]
    measured = [reason for one in columns for reason in measured_otherwise(claim, one.name, one.facts, one.averaging)]
    drawn = [reason for entry in contestants for one in entry.sheets for reason in drawn_otherwise(claim, one.drawing)]
    yield from dict.fromkeys([*claim.unlike, *measured, *drawn])
    if claim.subjects is None:
        yield f"other subjects ({claim.data})"
    elif any({sheet.subject for sheet in entry.sheets} != set(claim.subjects) for entry in contestants):
        yield f"other subjects than the {len(claim.subjects)} of theirs"
    counts = {count for entry in contestants for count in _pictures_per_subject(entry, columns)}
    if claim.pictures is not None and counts - {claim.pictures}:
        ours = " or ".join(map(str, sorted(counts)))
        yield f"{claim.pictures} pictures of each subject there, {ours} here"


def _pictures_per_subject(entry: Entry, columns: Sequence[ScoreColumn]) -> Iterator[int]:
    """How many pictures of a subject were requested, from the metrics that score each picture."""
    for sheet in entry.sheets:
        for column in columns:
            values = sheet.rows[entry.row][column.name].values if column.of(sheet) else []
            last = max((value.k for value in values if value.k is not None), default=-1)
            if last >= 0:
                yield len({(value.set, value.number) for value in values}) * (last + 1)
