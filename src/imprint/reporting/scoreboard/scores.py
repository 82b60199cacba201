"""From score sheets to trees of scores, and from these to means with intervals."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from imprint.errors import UserError
from imprint.evaluation.records import Value
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.evaluation.statistics.crossing import table_of_means
from imprint.evaluation.statistics.intervals import Interval, mean_interval
from imprint.evaluation.statistics.nesting import Tree, average, replicates
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.grouping import Entry


class Prompt(NamedTuple):
    """What subjects share. Kinds of subjects have lists of their own, so the number alone does not say which it is."""

    set: str
    number: int | None
    text: str


Prompts = dict[Prompt, list[float]]  # the numbers of each prompt's pictures
Forest = dict[str, list[Prompts]]  # of each subject, by training seed
Asked = Mapping[str, Collection[Prompt]]  # the prompts of each subject that anyone on the board has a number of
ROUNDING = 1e-4


@dataclass(frozen=True, kw_only=True)
class Score:
    """A mean: over all subjects of a kind ("all": of every kind), of one subject, or of one category of prompts."""

    entry: str
    column: str
    kind: str
    subject: str | None
    category: str | None
    mean: float
    interval: Interval | None
    subjects: int
    lost: int  # (subject, prompt) pairs that others have a number of and some run of this entry has not
    seeds: tuple[int, int]  # the fewest and the most training seeds of a subject
    seed_spread: float | None


def forest(entry: Entry, column: ScoreColumn, *, category: str | None = None) -> Forest:
    """Every number of an entry in a column. Raises UserError where one is given twice and differently."""
    found: dict[str, dict[int, tuple[str, Prompts]]] = {}
    for sheet in entry.sheets:
        scored = sheet.rows.get(entry.row, {}).get(column.name)
        if scored is None or not column.of(sheet):
            continue
        prompts = _by_prompt(sheet, _kept(sheet, scored.values, category))
        if not prompts:
            continue
        seeds = found.setdefault(sheet.subject, {})
        if entry.role != "contestant":  # every run of a subject has the same floors and ceilings: kept once
            if not any(_alike(known, prompts) for _, known in seeds.values()):
                seeds[len(seeds)] = (sheet.run, prompts)
        elif sheet.seed in seeds and not _alike(seeds[sheet.seed][1], prompts):
            raise UserError(
                f"{seeds[sheet.seed][0]} and {sheet.run} are the same in settings, subject ({sheet.subject}) and seed "
                f"({sheet.seed}), and their {column.title} differs. Leave one of them out."
            )
        else:
            seeds[sheet.seed] = (sheet.run, prompts)
    return {subject: [prompts for _, prompts in seeds.values()] for subject, seeds in found.items()}


def floor_of(entry: Entry, column: ScoreColumn) -> Forest:
    """Of the untuned model that the entry's runs began with; empty where it was not scored."""
    return forest(entry._replace(role="floor", row="untuned"), column)


def summarised(
    entry: Entry,
    column: ScoreColumn,
    trees: Forest,
    *,
    kind: str = "all",
    subject: str | None = None,
    category: str | None = None,
    asked: Asked | None = None,
    draws: int = 0,
    seed: int = 0,
) -> Score:
    """The mean over `trees`, with an interval if `draws` is not 0."""
    mean = average(as_tree(trees.values()), column.averaging)
    by_seed = [[average(as_tree([[run]]), column.averaging) for run in runs] for runs in trees.values()]
    seeds = replicates(by_seed)
    table = table_of_means(trees, classes=_classes(entry), averaging=column.averaging) if draws else None
    return Score(
        entry=entry.label,
        column=column.key,
        kind=kind,
        subject=subject,
        category=category,
        mean=mean,
        interval=mean_interval(table, centre=mean, draws=draws, seed=seed, within=column.facts.bounds)
        if table
        else None,
        subjects=len(trees),
        lost=lost(trees, asked or {}),
        seeds=seeds.seeds,
        seed_spread=seeds.spread if entry.role == "contestant" else None,
    )


def as_tree(subjects: Iterable[Sequence[Prompts]]) -> Tree:
    return [[[np.array(pictures) for pictures in run.values()] for run in runs] for runs in subjects]


def prompts_asked(forests: Iterable[Forest]) -> dict[str, set[Prompt]]:
    """By subject: a prompt of which anyone has a number was asked of all."""
    found: dict[str, set[Prompt]] = {}
    for forest in forests:
        for subject, runs in forest.items():
            found.setdefault(subject, set()).update(prompt for run in runs for prompt in run)
    return found


def lost(trees: Forest, asked: Asked) -> int:
    """How many prompts of its subjects some run of them has no number of."""
    return sum(
        not all(prompt in run for run in runs) for subject, runs in trees.items() for prompt in asked.get(subject, ())
    )


def categories(entries: Sequence[Entry], column: ScoreColumn) -> list[str]:
    """Those of the prompts that the column's numbers belong to; none where there is no choice."""
    found = dict.fromkeys(
        category
        for entry in entries
        for sheet in entry.sheets
        if column.of(sheet) and (scored := sheet.rows.get(entry.row, {}).get(column.name))
        for category in scored.by_category
    )
    return list(found) if len(found) > 1 else []


def _alike(first: Prompts, second: Prompts) -> bool:
    """The same pictures, scored again: devices and batches round differently."""
    return first.keys() == second.keys() and all(
        len(first[prompt]) == len(second[prompt]) and np.allclose(first[prompt], second[prompt], rtol=0, atol=ROUNDING)
        for prompt in first
    )


def _kept(sheet: ScoreSheet, values: Sequence[Value], category: str | None) -> list[Value]:
    """The finest numbers that there are: a metric may be defined for the whole subject alone."""
    fine = [value for value in values if value.number is not None]
    if category is None:
        return fine or list(values)
    return [
        value for value in fine if value.number is not None and sheet.prompts[value.set][value.number][1] == category
    ]


def _by_prompt(sheet: ScoreSheet, values: Iterable[Value]) -> Prompts:
    prompts: Prompts = {}
    for value in values:
        text = "" if value.number is None else sheet.prompts[value.set][value.number][0]
        prompts.setdefault(Prompt(value.set, value.number, text), []).append(value.value)
    return prompts


def _classes(entry: Entry) -> dict[str, str]:
    return {sheet.subject: sheet.noun for sheet in entry.sheets}
