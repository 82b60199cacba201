"""Which of several settings of an arm is best: by the mean of a metric over learners, numbers of shots and subjects.

The first of many is so partly by luck. So what was chosen is tested on photos of which none was looked at here: the
record of a search says which were.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import TypeAdapter

from imprint.data.listing import printable
from imprint.errors import Problem, UserError
from imprint.evaluation.statistics.crossing import table_of_differences
from imprint.evaluation.statistics.intervals import Interval, difference_interval
from imprint.file_contents import Finite, read_json, typed
from imprint.files import write_json
from imprint.study.examples import Material
from imprint.study.metrics import METRICS
from imprint.study.scores import DRAWS, SEED, Board
from imprint.study.tables import less, number
from imprint.tables.table import Cell, Column, Row, Table

VERSION: Literal[1] = 1
FILE = "search.json"  # in the study's folder
REMEDY = "The imprint study command with search.arm writes it again, and learns nothing twice."


@dataclass(frozen=True, kw_only=True)
class Trial:
    """`settings` are those in which it differs from the others, as they would be typed. `by_subject` are means over
    learners, numbers of shots and seeds."""

    settings: Sequence[str]
    value: Finite
    by_subject: Mapping[str, Finite]

    @property
    def said(self) -> str:
        return " ".join(self.settings)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a search leaves. `trials` begin with the best. `fixed` and `words` are what all of them have in common: of
    the study, and of `imprint synthesise`. `tests` are hashes of the photos that it went by."""

    version: Literal[1] = VERSION
    arm: str
    metric: str
    fixed: Sequence[str]
    words: Sequence[str]
    trials: Sequence[Trial]
    failed: Mapping[str, str] = field(default_factory=dict)  # why, by settings
    tests: Sequence[str]

    @property
    def best(self) -> Trial:
        return self.trials[0]

    def write(self, folder: Path) -> None:
        write_json(folder / FILE, asdict(self))


RECORD = TypeAdapter(Record)


def read_record(folder: Path) -> Record:
    """Raises UserError where there is none, or it has no trial."""
    file = folder / FILE
    try:
        record: Record = typed(RECORD, read_json(file, REMEDY), file, REMEDY)
    except FileNotFoundError as error:
        raise UserError(f"chosen={printable(folder)}: no search ended there. {REMEDY}") from error
    if not record.trials:
        raise UserError(f"chosen={printable(folder)}: none of its trials succeeded, so nothing is chosen.")
    return record


def measured(boards: Sequence[Board], arm: str, metric: str, settings: Sequence[str]) -> Trial:
    by_subject: dict[str, list[float]] = {}
    for board in boards:
        [standing] = [one for one in board.standings[metric] if one.arm == arm]
        for subject, numbers in standing.by_subject.items():
            by_subject.setdefault(subject, []).append(float(np.mean(numbers)))
    means = {subject: float(np.mean(own)) for subject, own in by_subject.items()}
    return Trial(settings=settings, value=float(np.mean(list(means.values()))), by_subject=means)


def ranked(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """The best first; of equal ones the first that was tried."""
    sign = 1 if METRICS[metric].better == "higher" else -1
    return sorted(trials, key=lambda trial: -sign * trial.value)


def behind(trial: Trial, best: Trial) -> Interval | None:
    """How far it is from the best one, over other subjects like these; None where there are too few."""
    differences = {subject: value - best.by_subject[subject] for subject, value in trial.by_subject.items()}
    return difference_interval(
        table_of_differences({subject: {"": value} for subject, value in differences.items()}),
        centre=float(np.mean(list(differences.values()))),
        draws=DRAWS,
        seed=SEED,
    )


def choice_table(trials: Sequence[Trial], metric: str) -> Table:
    """Of ranked trials."""
    best, rows, alike = trials[0], [], 0
    for trial in trials:
        cells = [Cell(trial.said), Cell(trial.value)]
        if trial is best:
            cells.append(Cell())
        else:
            interval = behind(trial, best)
            alike += interval is None or not interval.excludes_zero
            bounds = None if interval is None else (interval.low, interval.high)
            cells.append(Cell(trial.value - best.value, bounds))
        rows.append(Row(cells))
    facts = METRICS[metric]
    notes = [f"Means over learners, numbers of shots, seeds and {len(best.by_subject)} subjects."]
    if alike:
        notes.append(f"{alike} of {len(trials) - 1} others are not told from the first by these subjects.")
    notes.append("The first of many is so partly by luck: what it gains, photos of other subjects say (chosen=).")
    return Table(
        columns=[
            Column("Settings", kind="text"),
            Column(facts.title, number, about=facts.about, best_first=facts.better == "higher"),
            Column("less the first", less, about="the difference, subject by subject"),
        ],
        rows=rows,
        title="What was tried",
        key="tried",
        notes=notes,
    )


def problems(record: Record, folder: Path, material: Material) -> Iterator[Problem]:
    """Photos to test on that the search went by."""
    seen = set(record.tests)
    if again := [one.key for one in material.tests if one.content in seen]:
        remedy = (
            f"the settings were chosen by {len(again)} of these very photos to test on ({printable(again[0])} is one). "
            "Test on other subjects, or leave chosen out."
        )
        yield Problem("chosen", str(folder), remedy)
