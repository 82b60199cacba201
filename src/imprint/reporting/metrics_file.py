"""Reads a run's metrics file: a CSV with a row a step, the last of which a killed program may have left incomplete."""

import csv
import io
from pathlib import Path

from imprint.file_contents import DAMAGED, refuse

TAIL = 4096  # bytes, of several rows
LONGEST_STEP = 18  # digits
REMEDY = "Delete it: the run goes on, without the numbers of the steps before."
FINAL_STEPS = 50  # a diffusion loss is noisy, so the final loss is a mean


def read_metrics(path: Path) -> dict[str, list[float | None]]:
    """Every column of a metrics file, None where a step has no such metric. Empty when there is no file. Raises
    UserError where it is damaged."""
    if not path.is_file():
        return {}
    columns, rows = complete_rows(path)
    try:
        return {name: [float(row[i]) if row[i] else None for row in rows] for i, name in enumerate(columns)}
    except ValueError as error:
        refuse(path, DAMAGED, REMEDY, error)


def final_loss(path: Path) -> float | None:
    """The mean loss of the last steps."""
    last = [loss for loss in read_metrics(path).get("loss", [])[-FINAL_STEPS:] if loss is not None]
    return sum(last) / len(last) if last else None


def last_step(path: Path) -> int:
    """The last step in the file, read from its end, since this is called often; 0 where there is none."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").split("\n")[1:-1]  # whole ones
    step = lines[-1].partition(",")[0] if lines else ""
    return int(step) if is_step(step) else 0


def is_step(text: str) -> bool:
    return text.isdecimal() and len(text) <= LONGEST_STEP


def complete_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The columns, and the rows that were written to their end. Raises UserError where the file is damaged."""
    try:
        text = path.read_text(encoding="utf-8")
        rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    except (UnicodeDecodeError, csv.Error) as error:
        refuse(path, DAMAGED, REMEDY, error)
    if not rows:
        return [], []
    columns, *rest = rows
    if columns[:1] != ["step"] or not all(len(row) == len(columns) and is_step(row[0]) for row in rest):
        refuse(path, DAMAGED, REMEDY)
    return columns, rest
