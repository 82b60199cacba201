"""All numbers of a scoreboard. Tables, figures and files show them and compute nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from imprint.evaluation.score_sheet import PictureCount, ScoreSheet
from imprint.reporting.scoreboard.columns import ScoreColumn, columns, differences
from imprint.reporting.scoreboard.comparisons import (
    Comparison,
    NotCompared,
    PublishedRow,
    compared,
    corrected_for_all,
    low_power_notes,
    published_rows,
)
from imprint.reporting.scoreboard.costs import Cost
from imprint.reporting.scoreboard.grouping import Entry, entries
from imprint.reporting.scoreboard.leading import Leader, leader_on
from imprint.reporting.scoreboard.notes import (
    few_subjects_notes,
    lost_prompt_notes,
    missing_subject_notes,
    sheet_notes,
)
from imprint.reporting.scoreboard.scores import (
    Asked,
    Forest,
    Score,
    categories,
    forest,
    prompts_asked,
    summarised,
)

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
    leaders: Mapping[tuple[str, str], Leader]  # by kind and column, where there is a contest
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

    def is_whole(self, score: Score) -> bool:
        """Whether it is over all subjects of its kind and all their prompts."""
        subjects = sum(score.kind in (ALL, own) for own in self.subjects.values())
        return not score.lost and (score.subject is not None or score.subjects == subjects)

    def is_best(self, score: Score) -> bool:
        found = self.leaders.get((score.kind, score.column))
        return found is not None and found.is_best and found.name == score.entry and score.subject is None

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
    leaders: dict[tuple[str, str], Leader] = {}
    comparisons: list[Comparison] = []
    not_compared: list[NotCompared] = []
    for column in over:
        forests = {entry.label: forest(entry, column) for entry in found}
        asked = prompts_asked(forests[entry.label] for entry in found if entry.role != "ceiling")
        for entry in found:
            wanted = asked if entry.role != "ceiling" else {}
            trees = forests[entry.label]
            scores += _scores(entry, column, trees, subjects, kinds=kinds, asked=wanted, draws=draws, seed=seed)
        for kind in kinds:
            of_kind = [subject for subject, own in subjects.items() if kind in (ALL, own)]
            if ahead := leader_on(of_kind, contestants, column, forests, asked, draws=draws, seed=seed):
                leaders[kind, column.key] = ahead
        for category in categories(found, column):
            of_category = [(entry, forest(entry, column, category=category)) for entry in found]
            scores += [summarised(entry, column, trees, category=category) for entry, trees in of_category if trees]
        if pairs:
            tested, missing = compared(contestants, column, forests, asked, draws=draws, seed=seed)
            comparisons += tested
            not_compared += missing
    return Board(
        title=title,
        entries=found,
        columns=over,
        kinds=kinds,
        subjects=subjects,
        scores=scores,
        leaders=leaders,
        pictures={entry.label: _pictures(entry) for entry in found},
        costs={entry.label: cost for entry in contestants if (cost := _cost(entry, costs))},
        comparisons=corrected_for_all(comparisons),
        not_compared=not_compared,
        published=published_rows(found, over),
        notes=[
            *notes,
            *differences(over),
            *missing_subject_notes(contestants, subjects),
            *lost_prompt_notes(_over_all_subjects(scores, contestants), over),
            *few_subjects_notes(subjects),
            *low_power_notes(comparisons),
            *sheet_notes(sheets),
        ],
    )


def _scores(
    entry: Entry,
    column: ScoreColumn,
    own: Forest,
    subjects: Mapping[str, str],
    *,
    kinds: Sequence[str],
    asked: Asked,
    draws: int,
    seed: int,
) -> Iterator[Score]:
    for kind in kinds:
        chosen = {subject: runs for subject, runs in own.items() if kind in (ALL, subjects[subject])}
        if chosen:
            yield summarised(entry, column, chosen, kind=kind, asked=asked, draws=draws, seed=seed)
    for subject, runs in own.items():
        yield summarised(entry, column, {subject: runs}, subject=subject, asked=asked)


def _over_all_subjects(scores: Sequence[Score], contestants: Sequence[Entry]) -> list[Score]:
    names = {entry.label for entry in contestants}
    means = [each for each in scores if each.kind == ALL and each.subject is None and each.category is None]
    return [each for each in means if each.entry in names]


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
