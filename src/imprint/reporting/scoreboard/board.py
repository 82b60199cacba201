"""All numbers of a scoreboard. Tables, figures and files show them and compute nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from imprint.evaluation.score_sheet import PictureCount, ScoreSheet
from imprint.evaluation.statistics.intervals import ENOUGH
from imprint.reporting.scoreboard.columns import ScoreColumn, columns, differences
from imprint.reporting.scoreboard.comparisons import (
    Comparison,
    NotCompared,
    PublishedRow,
    compared,
    low_power_notes,
    published_rows,
)
from imprint.reporting.scoreboard.costs import Cost
from imprint.reporting.scoreboard.grouping import Entry, entries
from imprint.reporting.scoreboard.scores import Forest, Score, categories, forest, summarised

ALL = "all"
COUNTED = ("asked", "drawn", "failed", "blank")


@dataclass(frozen=True, kw_only=True)
class Board:
    title: str
    entries: Sequence[Entry]
    columns: Sequence[ScoreColumn]
    kinds: Sequence[str]  # "all", and each kind of subject where there are several
    subjects: Mapping[str, str]  # name -> kind
    scores: Sequence[Score]
    pictures: Mapping[str, PictureCount]  # by entry
    costs: Mapping[str, Cost]  # by contestant, a mean over its runs
    comparisons: Sequence[Comparison]
    not_compared: Sequence[NotCompared]
    published: Sequence[PublishedRow]
    notes: Sequence[str]

    @property
    def contestants(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.role == "contestant"]

    def score(
        self, entry: str, column: str, *, kind: str = ALL, subject: str | None = None, category: str | None = None
    ) -> Score | None:
        return self._by_place.get((entry, column, kind, subject, category))

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str, str, str | None, str | None], Score]:
        return {(each.entry, each.column, each.kind, each.subject, each.category): each for each in self.scores}


def assemble(
    sheets: Sequence[ScoreSheet],
    *,
    title: str,
    costs: Mapping[str, Cost],
    notes: Sequence[str] = (),
    draws: int,
    seed: int,
    pairs: bool = True,
) -> Board:
    """`costs` is by the runs' names; without `pairs` no two contestants are tested against each other.

    Raises UserError for scores that cannot be on one board.
    """
    found, over = entries(sheets), columns(sheets)
    subjects = {sheet.subject: sheet.kind for sheet in sorted(sheets, key=lambda sheet: sheet.subject)}
    kinds = sorted(set(subjects.values()))
    kinds = [ALL, *kinds] if len(kinds) > 1 else [ALL]
    contestants = [entry for entry in found if entry.role == "contestant"]
    scores: list[Score] = []
    comparisons: list[Comparison] = []
    not_compared: list[NotCompared] = []
    for column in over:
        forests = {entry.label: forest(entry, column) for entry in found}
        for entry in found:
            scores += _scores(entry, column, forests[entry.label], subjects, kinds, draws=draws, seed=seed)
        for category in categories(found, column):
            of_category = [(entry, forest(entry, column, category=category)) for entry in found]
            scores += [summarised(entry, column, own, category=category) for entry, own in of_category if own]
        if pairs:
            tested, missing = compared(contestants, column, forests, draws=draws, seed=seed)
            comparisons += tested
            not_compared += missing
    return Board(
        title=title,
        entries=found,
        columns=over,
        kinds=kinds,
        subjects=subjects,
        scores=scores,
        pictures={entry.label: _pictures(entry) for entry in found},
        costs={entry.label: cost for entry in contestants if (cost := _cost(entry, costs))},
        comparisons=comparisons,
        not_compared=not_compared,
        published=published_rows(found, over),
        notes=[
            *notes,
            *differences(over),
            *_missing_subject_notes(contestants, subjects),
            *_few_subjects_notes(subjects),
            *low_power_notes(comparisons),
            *_sheet_notes(sheets),
        ],
    )


def _scores(
    entry: Entry,
    column: ScoreColumn,
    own: Forest,
    subjects: Mapping[str, str],
    kinds: Sequence[str],
    *,
    draws: int,
    seed: int,
) -> Iterator[Score]:
    for kind in kinds:
        chosen = {subject: runs for subject, runs in own.items() if kind in (ALL, subjects[subject])}
        if chosen:
            yield summarised(entry, column, chosen, kind=kind, draws=draws, seed=seed)
    for subject, runs in own.items():
        yield summarised(entry, column, {subject: runs}, subject=subject)


def _pictures(entry: Entry) -> PictureCount:
    """Of all its runs; floors and ceilings of a subject are the same pictures for every run."""
    first_of_subject = {sheet.subject: sheet for sheet in reversed(entry.sheets)}.values()
    sheets = entry.sheets if entry.role == "contestant" else first_of_subject
    counts = [count for sheet in sheets if (count := sheet.pictures.get(entry.row))]
    return PictureCount(**{name: sum(getattr(count, name) for count in counts) for name in COUNTED})


def _cost(entry: Entry, costs: Mapping[str, Cost]) -> Cost | None:
    known = [costs[run] for run in dict.fromkeys(sheet.run for sheet in entry.sheets) if run in costs]
    found = {key: [value for cost in known if (value := cost.get(key)) is not None] for cost in known for key in cost}
    return {key: fmean(values) if values else None for key, values in found.items()} or None


def _missing_subject_notes(contestants: Sequence[Entry], subjects: Mapping[str, str]) -> Iterator[str]:
    for entry in contestants:
        own = {sheet.subject for sheet in entry.sheets}
        if absent := [subject for subject in subjects if subject not in own]:
            yield (
                f"{entry.label} has no scores of {', '.join(absent)}. Its means are over {len(own)} of "
                f"{len(subjects)} subjects and cannot be compared with the others'; the tests use the common subjects."
            )


def _few_subjects_notes(subjects: Mapping[str, str]) -> Iterator[str]:
    if len(subjects) == 1:
        yield (
            "There is one subject. Intervals come from its training seeds, prompts and pictures, and say nothing about "
            "other subjects."
        )
    elif len(subjects) < ENOUGH:
        yield f"There are {len(subjects)} subjects. Intervals from fewer than {ENOUGH} are too narrow."


def _sheet_notes(sheets: Sequence[ScoreSheet]) -> Iterator[str]:
    """The notes of the score sheets; one that all have is not repeated."""
    by_note: dict[str, list[str]] = {}
    for sheet in sheets:
        for note in sheet.notes:
            by_note.setdefault(note, []).append(sheet.run)
    for note, runs in by_note.items():
        yield note if len(runs) == len(sheets) else f"{', '.join(dict.fromkeys(runs))}: {note}"
