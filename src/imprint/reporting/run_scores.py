"""What runs scored: the sheets in their folders, and the board of them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from imprint.errors import UserError
from imprint.evaluation.sheet import MetricFacts, ScoreSheet
from imprint.reporting.record import RunRecord
from imprint.reporting.scoreboard import Board, assemble
from imprint.reporting.scoreboard.columns import Column, columns, differences
from imprint.reporting.scoreboard.grouping import entries

DRAWS = 1000  # of the bootstrap; a page that is written again and again must not take long
SEED = 0
MOST_COMPARED = 8  # contestants; of more, the pairs would not be read
SHORT_FINGERPRINT = 6  # as in the names of score curves


class RunScores(NamedTuple):
    """Of a run, the newest sheet of each profile and subject."""

    sheets: Mapping[Path, Sequence[ScoreSheet]]  # by the run's folder
    columns: Sequence[Column]
    board: Board | None  # None: there are no scores, or they cannot stand on one
    notes: Sequence[str]

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

    def profiles(self, column: Column) -> str:
        """Those that a column's numbers come from: more than one where they measure alike."""
        found = (sheet.profile for own in self.sheets.values() for sheet in own if column.of(sheet))
        return ", ".join(dict.fromkeys(found))


def scores_of(records: Sequence[RunRecord]) -> RunScores:
    """Nothing that is wrong with scores stops it: it becomes a note."""
    notes: list[str] = []
    sheets = {record.folder: list(_newest(record, notes)) for record in records}
    every = [sheet for own in sheets.values() for sheet in own]
    notes += dict.fromkeys(note for sheet in every for note in _strength(sheet))
    board = None
    if every:
        try:
            board = _board(every, records, notes)
        except UserError as error:
            notes += [str(error), *differences(columns(every))]
    return RunScores(sheets, columns(every), board, notes if board is None else board.notes)


def _board(sheets: Sequence[ScoreSheet], records: Sequence[RunRecord], notes: Sequence[str]) -> Board:
    contestants = sum(entry.role == "contestant" for entry in entries(sheets))
    several = len({sheet.subject for sheet in sheets}) > 1
    pairs = several and contestants <= MOST_COMPARED
    too_many = (
        f"These are {contestants} contestants, too many to test each against each other here. "
        "imprint compare tests the runs that you name."
    )
    return assemble(
        sheets,
        title="",
        costs={record.name: record.cost for record in records},
        notes=[*notes, *([too_many] if several and not pairs else [])],
        draws=DRAWS,
        seed=SEED,
        pairs=pairs,
    )


def _newest(record: RunRecord, notes: list[str]) -> Iterator[ScoreSheet]:
    files = sorted((record.folder / "scores").glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name))
    found: dict[tuple[str, str], ScoreSheet] = {}
    for file in files:
        try:
            sheet = ScoreSheet.read(file)
        except (ValueError, TypeError, KeyError, AttributeError, OSError):
            notes.append(
                f"{record.name}: scores/{file.name} is no sheet of scores and is left out. Delete it, and evaluate the "
                "run again."
            )
        else:
            found[sheet.profile, sheet.subject] = sheet
    yield from (found[key] for key in sorted(found))


def _strength(sheet: ScoreSheet) -> Iterator[str]:
    """Says so where it was not the plain result that was scored."""
    strengths = {
        key: value
        for key, value in sheet.settings.items()
        if key == "base" or (key.startswith("scale.") and value != 1)
    }
    if strengths:
        told = ", ".join(f"{key}={value}" for key, value in strengths.items())
        yield f"{sheet.run} was scored under {sheet.profile} with {told}."
