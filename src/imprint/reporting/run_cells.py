"""What stands in one place of the table of runs."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from imprint.reporting.labels import short
from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.lines import bounds
from imprint.reporting.units import UNKNOWN, duration, memory, quantity, score, size

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
