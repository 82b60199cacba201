"""The table of runs: settings that tell them apart, scores, and what they cost; floors and ceilings below."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from imprint.reporting.labels import differing, headings, short
from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import ARROWS, Column
from imprint.reporting.scoreboard.tables import bounds
from imprint.reporting.units import UNKNOWN, duration, memory, quantity, score, size

COST = "training"
FEW = 8  # values; a column of so few can be filtered by them


class Heading(NamedTuple):
    text: str
    about: str
    group: str
    is_number: bool
    best_first: bool  # sorting begins with the largest


class Line(NamedTuple):
    name: str
    folder: str  # its run's; empty: no run
    cells: Sequence[Cell]
    overrides: Sequence[str] = ()


COSTS = (
    Heading("steps", "optimiser steps", COST, True, False),
    Heading("loss", "mean of the last steps; it says little about quality", COST, True, False),
    Heading("trained", "parameters trained", COST, True, False),
    Heading("size", "of the result's files", COST, True, False),
    Heading("time", "of training", COST, True, False),
    Heading("memory", "the most that was held while training", COST, True, False),
)


class RunTable(NamedTuple):
    headings: Sequence[Heading]
    runs: Sequence[Line]
    references: Sequence[Line]  # floors and ceilings
    other_settings: Sequence[tuple[str, Sequence[str]]]  # that differ and have no column: key, value of each run

    @property
    def has_scores(self) -> bool:
        return any(heading.group not in ("", COST) for heading in self.headings)

    @property
    def choices(self) -> list[tuple[int, str, Sequence[str]]]:
        """Columns of words that have a few values: place, heading, values."""
        found: list[tuple[int, str, Sequence[str]]] = []
        for place, heading in enumerate(self.headings):
            values = list(dict.fromkeys(str(line.cells[place].value) for line in self.runs))
            if heading.group == "" and 1 < len(values) <= FEW:
                found.append((place, heading.text, values))
        return found

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Each group's name and how many columns it has, in their order."""
        found: list[tuple[str, int]] = []
        for heading in self.headings:
            if found and found[-1][0] == heading.group:
                found[-1] = (heading.group, found[-1][1] + 1)
            else:
                found.append((heading.group, 1))
        return found


def run_table(
    records: Sequence[RunRecord],
    scores: RunScores,
    keys: Sequence[str],
    *,
    is_sweep: bool = False,
    is_live: bool = False,
) -> RunTable:
    """`keys` are the settings that have columns. A sweep's points always have a status."""
    settings = [record.settings for record in records]
    others = [key for key in differing(settings) if key not in keys]
    scored = sorted(scores.columns, key=lambda column: _order(column, scores))
    statuses = [status_cell(record, scores, is_live) for record in records]
    has_status = is_sweep or any(cell.value != "finished" for cell in statuses)
    measured = [_column(records, scores, column) for column in scored]
    costs = [heading for heading in COSTS if heading.text != "steps" or not _steps_are_said(records, keys)]
    before = [
        *(Heading(text, key, "", False, False) for key, text in headings(keys).items()),
        *([Heading("status", "", "", False, False)] if has_status else []),
    ]
    lines = [
        Line(
            record.name,
            str(record.folder),
            [
                *(setting_cell(record, key) for key in keys),
                *([status] if has_status else []),
                *(cells[place] for cells in measured),
                *list(cost_cells(record))[-len(costs) :],
            ],
            record.overrides,
        )
        for place, (record, status) in enumerate(zip(records, statuses, strict=True))
    ]
    blank = [Cell("")]
    references = [
        Line(name, "", [*blank * len(before), *cells, *blank * len(costs)])
        for name, cells in _references(scores, scored)
    ]
    middle = [_heading(column, scored, scores) for column in scored]
    told = [(key, [own.get(key, UNKNOWN) for own in settings]) for key in others]
    return RunTable([*before, *middle, *costs], lines, references, told)


def _steps_are_said(records: Sequence[RunRecord], keys: Sequence[str]) -> bool:
    """Whether the setting tells already how many steps the finished runs made."""
    finished = [record for record in records if record.status == "finished"]
    return STEPS in keys and all(str(record.steps) == record.settings.get(STEPS) for record in finished)


def _column(records: Sequence[RunRecord], scores: RunScores, column: Column) -> list[Cell]:
    """Of each run. The best one is marked, where all are of the same subject."""
    cells = [score_cell(scores, record, column) for record in records]
    known = [cell.value for cell in cells if isinstance(cell.value, float)]
    if len(scores.subjects) > 1 or len(known) < 2 or column.facts.better == "neither":
        return cells
    best = max(known) if column.facts.better == "higher" else min(known)
    return [cell._replace(kind="best") if cell.value == best else cell for cell in cells]


def _order(column: Column, scores: RunScores) -> int:
    """Columns of a profile stand together, profiles in the order in which they first appear."""
    return [scores.profiles(each) for each in scores.columns].index(scores.profiles(column))


def _heading(column: Column, beside: Sequence[Column], scores: RunScores) -> Heading:
    facts = column.facts
    group = scores.profiles(column)
    alike = [other for other in beside if other.facts.title == facts.title and scores.profiles(other) == group]
    title = facts.title if len(alike) == 1 else f"{facts.title} ({facts.fingerprint[:6]})"
    judges = ", ".join(encoder["name"] for encoder in facts.encoders.values())
    better = "" if facts.better == "neither" else f", {facts.better} is better"
    about = f"{judges or 'no encoder'}{better}; fingerprint {facts.fingerprint}"
    return Heading(f"{title} {ARROWS[facts.better]}".strip(), about, group, True, facts.better == "higher")


def _references(scores: RunScores, columns: Sequence[Column]) -> Iterator[tuple[str, Sequence[Cell]]]:
    board = scores.board
    for entry in board.entries if board else ():
        if board is None or entry.role == "contestant":
            continue
        found = [board.score(entry.label, column.key) for column in columns]
        subjects = len({sheet.subject for sheet in entry.sheets})
        name = entry.label if subjects == 1 else f"{entry.label} ({subjects} subjects)"
        yield name, [Cell(UNKNOWN) if each is None else number_cell(each.mean, score(each.mean)) for each in found]


STEPS = "hparams.steps"
STATUS = {"absent": "waiting", "running": "not finished"}


class Cell(NamedTuple):
    text: str
    value: str | float = ""  # what is sorted by; empty: unknown
    about: str = ""
    kind: str = ""
    range: str = ""  # the interval around it


def status_cell(record: RunRecord, scores: RunScores, is_live: bool) -> Cell:
    told = "running" if is_live and record.status == "running" else STATUS.get(record.status, record.status)
    if record.scoring_error:
        return Cell("scoring failed", "scoring failed", kind="failed")
    if record.status == "finished" and scores.columns and not scores.sheets[record.folder]:
        return Cell("not scored", "not scored", "finished; imprint evaluate scores it", "running")
    total = record.settings.get(STEPS, "")
    if record.status == "running" and record.steps and total.isdigit():
        return Cell(f"{told}, {record.steps / int(total):.0%}", told, f"{record.steps} of {total} steps", record.status)
    return Cell(told, told, "", record.status)


def setting_cell(record: RunRecord, key: str) -> Cell:
    value = record.settings.get(key)
    return Cell(UNKNOWN) if value is None else Cell(short(value), value, value if short(value) != value else "")


def score_cell(scores: RunScores, record: RunRecord, column: Column) -> Cell:
    """The mean over the run's subjects."""
    mean, subjects = scores.mean(record, column), len(scores.judged(record, column))
    if mean is None:
        return Cell(UNKNOWN)
    interval = scores.interval(record, column)
    over = f"mean over {subjects} subjects" if subjects > 1 else ""
    drawn = f"95% bootstrap interval over {' and '.join(interval.resampled)}" if interval else ""
    about = "; ".join(text for text in (over, drawn) if text)
    return number_cell(mean, score(mean), about)._replace(range=bounds(interval))


def cost_cells(record: RunRecord) -> Iterator[Cell]:
    cost = record.cost
    yield Cell(UNKNOWN) if record.steps is None else Cell(f"{record.steps:,}", record.steps)
    yield Cell(UNKNOWN) if record.loss is None else number_cell(record.loss, f"{record.loss:.4f}")
    for value, text in (
        (cost.trained_parameters, quantity(cost.trained_parameters)),
        (cost.result_bytes, size(cost.result_bytes)),
        (cost.seconds, duration(cost.seconds)),
        (cost.peak_memory_bytes, memory(cost.peak_memory_bytes)),
    ):
        yield Cell(text) if value is None else Cell(text, value)


def number_cell(value: float, text: str, about: str = "") -> Cell:
    return Cell(text, value, about) if math.isfinite(value) else Cell("no number", "", about)
