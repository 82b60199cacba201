"""The table of runs: settings that tell them apart, scores, and what they cost; floors and ceilings below."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from imprint.evaluation.sheet import ScoreSheet
from imprint.reporting.labels import differing, headings, is_short, short, telling
from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import ARROWS, Column
from imprint.reporting.units import UNKNOWN, duration, memory, quantity, score, size

MOST_SETTINGS = 5  # columns; the others are told below the table
OF_LOOKING = ("evaluation", "watch", "samples")  # settings that say how runs are looked at
COST = "training"
STATUS = {"running": "not finished"}


class Heading(NamedTuple):
    text: str
    about: str
    group: str
    is_number: bool
    best_first: bool  # sorting begins with the largest


class Cell(NamedTuple):
    text: str
    value: str | float = ""  # what is sorted by; empty: unknown
    about: str = ""
    kind: str = ""


class Line(NamedTuple):
    name: str
    folder: str  # its run's; empty: no run
    cells: Sequence[Cell]


class RunTable(NamedTuple):
    headings: Sequence[Heading]
    runs: Sequence[Line]
    references: Sequence[Line]  # floors and ceilings
    other_settings: Sequence[tuple[str, Sequence[str]]]  # that differ and have no column: key, value of each run

    @property
    def has_scores(self) -> bool:
        return any(heading.group not in ("", COST) for heading in self.headings)

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


def run_table(records: Sequence[RunRecord], scores: RunScores) -> RunTable:
    settings = [record.settings for record in records]
    keys = _columns(settings)
    others = [key for key in differing(settings) if key not in keys]
    has_status = any(record.status != "finished" for record in records)
    scored = sorted(scores.columns, key=lambda column: _order(column, scores))
    before = [
        *(Heading(text, key, "", False, False) for key, text in headings(keys).items()),
        *([Heading("status", "", "", False, False)] if has_status else []),
    ]
    after = [
        Heading("steps", "optimiser steps", COST, True, False),
        Heading("loss", "mean of the last steps; it says little about quality", COST, True, False),
        Heading("trained", "parameters trained", COST, True, False),
        Heading("size", "of the result's files", COST, True, False),
        Heading("time", "of training", COST, True, False),
        Heading("memory", "the most that was held while training", COST, True, False),
    ]
    lines = [
        Line(
            record.name,
            str(record.folder),
            [
                *(_setting(record, key) for key in keys),
                *([Cell(STATUS.get(record.status, record.status), record.status, "", record.status)] * has_status),
                *(_scored(scores.sheets[record.folder], column) for column in scored),
                *_costs(record),
            ],
        )
        for record in records
    ]
    blank = [Cell("")]
    references = [
        Line(name, "", [*blank * len(before), *cells, *blank * len(after)])
        for name, cells in _references(scores, scored)
    ]
    middle = [_heading(column, scored, scores) for column in scored]
    told = [(key, [own.get(key, UNKNOWN) for own in settings]) for key in others]
    return RunTable([*before, *middle, *after], lines, references, told)


def _columns(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """The settings that tell runs apart, then other short ones that all runs have and that say something new."""
    known = [each for each in settings if each]
    keys = telling(settings)
    for key in differing(settings):
        everywhere = all(key in each for each in known) and key.partition(".")[0] not in OF_LOOKING
        said = any(_follows(known, key, other) for other in keys)
        if len(keys) < MOST_SETTINGS and everywhere and is_short(known, key) and not said:
            keys.append(key)
    return keys


def _follows(settings: Sequence[Mapping[str, str]], key: str, other: str) -> bool:
    """Whether a setting is known from another one of the same part: the class from the subject."""
    pairs = {(each.get(other), each.get(key)) for each in settings}
    changes_together = len(pairs) == len({each.get(other) for each in settings})
    back = len(pairs) == len({each.get(key) for each in settings})
    same_part = "." in key and key.partition(".")[0] == other.partition(".")[0]
    return changes_together and (back or same_part)


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


def _setting(record: RunRecord, key: str) -> Cell:
    value = record.settings.get(key)
    return Cell(UNKNOWN) if value is None else Cell(short(value), value, value if short(value) != value else "")


def _scored(sheets: Sequence[ScoreSheet], column: Column) -> Cell:
    """The mean over the run's subjects."""
    found = [sheet.rows["tuned"][column.name].mean for sheet in sheets if _has(sheet, column)]
    about = f"mean over {len(found)} subjects" if len(found) > 1 else ""
    return _number(fmean(found), score(fmean(found)), about) if found else Cell(UNKNOWN)


def _has(sheet: ScoreSheet, column: Column) -> bool:
    return column.of(sheet) and column.name in sheet.rows.get("tuned", {})


def _costs(record: RunRecord) -> Iterator[Cell]:
    cost = record.cost
    yield Cell(UNKNOWN) if record.steps is None else Cell(f"{record.steps:,}", record.steps)
    yield Cell(UNKNOWN) if record.loss is None else _number(record.loss, f"{record.loss:.4f}")
    for value, text in (
        (cost.trained_parameters, quantity(cost.trained_parameters)),
        (cost.result_bytes, size(cost.result_bytes)),
        (cost.seconds, duration(cost.seconds)),
        (cost.peak_memory_bytes, memory(cost.peak_memory_bytes)),
    ):
        yield Cell(text) if value is None else Cell(text, value)


def _references(scores: RunScores, columns: Sequence[Column]) -> Iterator[tuple[str, Sequence[Cell]]]:
    board = scores.board
    for entry in board.entries if board else ():
        if board is None or entry.role == "contestant":
            continue
        found = [board.score(entry.label, column.key) for column in columns]
        subjects = len({sheet.subject for sheet in entry.sheets})
        name = entry.label if subjects == 1 else f"{entry.label} ({subjects} subjects)"
        yield name, [Cell(UNKNOWN) if each is None else _number(each.mean, score(each.mean)) for each in found]


def _number(value: float, text: str, about: str = "") -> Cell:
    return Cell(text, value, about) if math.isfinite(value) else Cell("no number", "", about)
