"""What runs scored: the score sheets in their folders, and the scoreboard of them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from imprint.errors import UserError
from imprint.evaluation.score_sheet import MetricFacts, ScoreSheet
from imprint.evaluation.statistics.intervals import CONFIDENCE, Interval
from imprint.evaluation.statistics.nesting import average
from imprint.reporting.file_cache import FileCache, modification_time
from imprint.reporting.record import RunRecord
from imprint.reporting.scoreboard import Board, assemble
from imprint.reporting.scoreboard.columns import ScoreColumn, columns, differences
from imprint.reporting.scoreboard.grouping import Entry, entries
from imprint.reporting.scoreboard.leading import Leader, leader
from imprint.reporting.scoreboard.pairing import paired
from imprint.reporting.scoreboard.scores import Forest, as_tree, floor_of, forest, lost, prompts_asked, summarised

DRAWS = 1000  # of the bootstrap; a page that is written again and again must not take long
SEED = 0
MOST_COMPARED = 8  # contestants; more have too many pairs for a page
CACHE = FileCache(most=1000)
SHORT_FINGERPRINT = 6  # as in the names of score curves


class RunScores(NamedTuple):
    """Of each run, the newest score sheet of each profile and subject."""

    sheets: Mapping[Path, Sequence[ScoreSheet]]  # by the run's folder
    columns: Sequence[ScoreColumn]
    board: Board | None  # None: there are no scores, or they cannot be on one board
    notes: Sequence[str]
    intervals: Mapping[tuple[Path, str], Interval | None]  # by run and column

    @property
    def subjects(self) -> set[str]:
        return {sheet.subject for own in self.sheets.values() for sheet in own}

    @property
    def facts(self) -> Mapping[tuple[str, str, str], MetricFacts]:
        """By profile, metric and the beginning of the fingerprint."""
        return {
            (sheet.profile, name, facts.fingerprint[:SHORT_FINGERPRINT]): facts
            for own in self.sheets.values()
            for sheet in own
            for name, facts in sheet.metrics.items()
        }

    def mean(self, record: RunRecord, column: ScoreColumn) -> float | None:
        """Over the run's subjects."""
        found = [sheet.rows["tuned"][column.name].mean for sheet in self.sheets_with(record, column)]
        return fmean(found) if found else None

    def leader(self, records: Sequence[RunRecord], column: ScoreColumn) -> tuple[RunRecord, Leader] | None:
        """The run that is ahead, and whether it may be called the best. None for runs of different subjects: it would
        be the run of the easiest one."""
        by_name = {str(record.folder): record for record in records}
        own = {name: sheets for name, record in by_name.items() if (sheets := self.sheets_with(record, column))}
        if len({frozenset(sheet.subject for sheet in sheets) for sheets in own.values()}) != 1:
            return None
        found = leader_of_runs(own, column)
        return (by_name[found.name], found) if found else None

    def are_apart(self, records: Sequence[RunRecord], column: ScoreColumn) -> bool:
        """Whether the highest and the lowest run differ by more than the interval of their difference, which is wider
        the more pairs there are to choose from."""
        runs = [_entry(self.sheets_with(record, column), column) for record in records]
        forests = [trees for entry in runs if entry and (trees := _forest(entry, column))]
        means = [average(as_tree(trees.values()), column.averaging) for trees in forests]
        if len(forests) < 2:
            return False
        high, low = (forests[means.index(choose(means))] for choose in (max, min))
        confidence = 1 - (1 - CONFIDENCE) / math.comb(len(forests), 2)
        interval = paired(high, low, column.averaging).interval(draws=DRAWS, seed=SEED, confidence=confidence)
        return interval is not None and interval.excludes_zero

    def sheets_with(self, record: RunRecord, column: ScoreColumn) -> list[ScoreSheet]:
        """The run's sheets that have a number in the column."""
        return [sheet for sheet in self.sheets[record.folder] if _has(sheet, column)]

    def interval(self, record: RunRecord, column: ScoreColumn) -> Interval | None:
        """Of a run's mean, over its prompts and pictures; over its subjects, where it has several."""
        return self.intervals.get((record.folder, column.key))

    def profiles(self, column: ScoreColumn) -> str:
        """Those that a column's numbers come from: more than one where they measure alike."""
        found = (sheet.profile for own in self.sheets.values() for sheet in own if column.of(sheet))
        return ", ".join(dict.fromkeys(found))


def scores_of(records: Sequence[RunRecord]) -> RunScores:
    """Whatever is wrong with score sheets becomes a note, and raises nothing."""
    notes: list[str] = []
    sheets = {record.folder: list(newest_sheets(record, notes)) for record in records}
    every = [sheet for own in sheets.values() for sheet in own]
    notes += dict.fromkeys(note for sheet in every for note in _departure_notes(sheet))
    board = None
    if every:
        try:
            board = _board(every, records, notes)
        except UserError as error:
            notes += [str(error), *differences(columns(every))]
    over = columns(every)
    intervals = {(folder, column.key): _interval(own, column) for folder, own in sheets.items() for column in over}
    return RunScores(sheets, over, board, notes if board is None else board.notes, intervals)


def _board(sheets: Sequence[ScoreSheet], records: Sequence[RunRecord], notes: Sequence[str]) -> Board:
    contestants = sum(entry.role == "contestant" for entry in entries(sheets))
    pairs = contestants <= MOST_COMPARED
    too_many = (
        f"These are {contestants} contestants, too many to test each against each other here. "
        "imprint compare tests the runs that you name."
    )
    return assemble(
        sheets,
        title="",
        costs={record.name: record.cost for record in records},
        notes=[*notes, *([] if pairs else [too_many])],
        draws=DRAWS,
        seed=SEED,
        pairs=pairs,
    )


def _has(sheet: ScoreSheet, column: ScoreColumn) -> bool:
    return column.of(sheet) and column.name in sheet.rows.get("tuned", {})


def leader_of_runs(sheets: Mapping[str, Sequence[ScoreSheet]], column: ScoreColumn) -> Leader | None:
    """`sheets` are those of each run that has a number in the column."""
    runs = {name: _entry(own, column) for name, own in sheets.items()}
    forests = {name: _forest(entry, column) for name, entry in runs.items() if entry}
    floors = {name: floor_of(entry, column) for name, entry in runs.items() if entry}
    asked = prompts_asked([*forests.values(), *floors.values()])
    whole = {name for name, trees in forests.items() if not lost(trees, asked)}
    return leader(forests, floors, column, whole=whole, draws=DRAWS, seed=SEED)


def _interval(sheets: Sequence[ScoreSheet], column: ScoreColumn) -> Interval | None:
    entry = _entry([sheet for sheet in sheets if _has(sheet, column)], column)
    trees = _forest(entry, column) if entry else {}
    return summarised(entry, column, trees, draws=DRAWS, seed=SEED).interval if entry and trees else None


def _entry(sheets: Sequence[ScoreSheet], column: ScoreColumn) -> Entry | None:
    """A run by itself; None where it has no numbers, or what are none."""
    values = [value.value for sheet in sheets for value in sheet.rows["tuned"][column.name].values]
    if not values or not all(map(math.isfinite, values)):
        return None
    return Entry("", "contestant", "tuned", sheets[0].method, {}, sheets[0].step, sheets)


def _forest(entry: Entry, column: ScoreColumn) -> Forest:
    try:
        return forest(entry, column)
    except UserError:  # a note of the board says why
        return {}


def newest_sheets(record: RunRecord, notes: list[str]) -> Iterator[ScoreSheet]:
    """Of each profile and subject. What is no sheet becomes a note."""
    found: dict[tuple[str, str], ScoreSheet] = {}
    for file in sorted(record.score_files, key=lambda file: (modification_time(file), file.name)):
        try:
            sheet = CACHE.of(file, ScoreSheet.read)
        except (ValueError, TypeError, KeyError, AttributeError, OSError):
            notes.append(
                f"{record.name}: scores/{file.name} is no sheet of scores and is left out. Delete it, and evaluate the "
                "run again."
            )
        else:
            found[sheet.profile, sheet.subject] = sheet
    yield from (found[key] for key in sorted(found))


def _departure_notes(sheet: ScoreSheet) -> Iterator[str]:
    """Where the result was scored at another strength or in another base."""
    if changed := departures(sheet):
        yield f"{sheet.run} was scored under {sheet.profile} with {', '.join(changed)}."


def departures(sheet: ScoreSheet) -> list[str]:
    """The strength and the base that were scored, where they are others than the run's."""
    return [
        f"{key}={value}"
        for key, value in sheet.settings.items()
        if key == "base" or (key.startswith("scale.") and value != 1)
    ]
