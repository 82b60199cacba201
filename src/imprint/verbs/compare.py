"""imprint compare: in what runs differ, and which differences are significant."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig
from pydantic import NonNegativeInt, PositiveInt
from rich.console import Console

from imprint.errors import UserError
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.locations import locate
from imprint.partial_files import files_named
from imprint.reporting import labels
from imprint.reporting.record import RunRecord, differing, find_runs
from imprint.reporting.run_table import TRAINING_COLUMNS, training_cells
from imprint.reporting.scoreboard import Board, assemble
from imprint.reporting.scoreboard.files import as_json
from imprint.reporting.scoreboard.tables import comparisons, means
from imprint.requests import as_list, read_request
from imprint.tables.table import Cell, Column, Row, Table
from imprint.tables.terminal import plain, rendered

PIPE_WIDTH = 180  # characters of a line where the output is no terminal


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `compare.yaml` asks for."""

    runs: str | list[str]
    profile: str | None
    json: bool
    bootstrap: PositiveInt
    seed: NonNegativeInt


@dataclass(frozen=True, kw_only=True)
class ComparedRuns:
    """Without any scores there is no board."""

    records: Sequence[RunRecord]
    differing: Sequence[str]
    board: Board | None
    notes: Sequence[str]


def main(cfg: DictConfig) -> None:
    request = read_request(Request, cfg)
    found = compare(request)
    if request.json:
        print(json.dumps(as_dict(found), indent=2, ensure_ascii=sys.stdout.isatty()))  # escaped, to a terminal
    else:
        print_tables(found, Console(width=None if sys.stdout.isatty() else PIPE_WIDTH))


def compare(request: Request) -> ComparedRuns:
    """Raises UserError where there are not two runs, and for scores that cannot stand side by side."""
    folders = [locate(path) for path in as_list(request.runs)]
    absent = [str(folder) for folder in folders if not any(files_named("manifest.json", folder))]
    if absent:
        raise UserError(f"runs: no run lies in {', '.join(absent)}. Give the folders of runs, or one that holds runs.")
    records = find_runs(folders)
    if len(records) < 2:
        raise UserError(f"runs: there is one run, {records[0].folder}, and nothing to compare it with. Give another.")
    sheets = {record.name: list(_sheets(record, request.profile)) for record in records}
    costs = {record.name: record.cost for record in records}
    scored = [sheet for own in sheets.values() for sheet in own]
    return ComparedRuns(
        records=records,
        differing=differing(records),
        board=assemble(scored, title="", costs=costs, draws=request.bootstrap, seed=request.seed) if scored else None,
        notes=list(_notes(records, sheets, request.profile)),
    )


def print_tables(found: ComparedRuns, console: Console) -> None:
    for table in (_runs(found), _settings(found)):
        console.print(rendered(table))
    if board := found.board:
        for kind in board.kinds:
            console.print(rendered(means(board, kind)))
        if board.comparisons or board.not_compared:
            console.print(rendered(comparisons(board)))
    for note in [*(found.board.notes if found.board else ()), *found.notes]:
        console.print(plain(f"- {note}"))


def as_dict(found: ComparedRuns) -> dict[str, Any]:
    return {
        "runs": [
            {
                "name": record.name,
                "folder": str(record.folder),
                "status": record.status,
                "steps": record.steps,
                "loss": record.loss if record.loss is not None and math.isfinite(record.loss) else None,
                **record.cost,
                "differing": {key: record.settings.get(key) for key in found.differing},
            }
            for record in found.records
        ],
        "scores": as_json(found.board) if found.board else None,
        "notes": list(found.notes),
    }


def _sheets(record: RunRecord, profile: str | None) -> Iterator[ScoreSheet]:
    for file in record.score_files:
        sheet = ScoreSheet.read(file)
        if profile in (None, sheet.profile):
            yield sheet


def _notes(records: Sequence[RunRecord], sheets: dict[str, list[ScoreSheet]], profile: str | None) -> Iterator[str]:
    without = [record for record in records if not sheets[record.name]]
    if without:
        of = f" of the profile {profile}" if profile else ""
        names = ", ".join(record.name for record in without)
        yield f"No scores{of}: {names}. Score them: imprint evaluate {without[0].folder}"
    unfinished = [f"{record.name} ({record.status})" for record in records if record.status != "finished"]
    if unfinished:
        yield f"Not finished, and not to be judged by its losses yet: {', '.join(unfinished)}."
    if len({record.settings.get("objective", "") for record in records if record.settings}) > 1:
        yield "The losses are of different objectives and cannot be compared."


def _runs(found: ComparedRuns) -> Table:
    return Table(
        key="runs",
        title="Runs",
        columns=[Column("run", kind="text"), Column("status", kind="text"), *TRAINING_COLUMNS],
        rows=[Row([Cell(record.name), Cell(record.status), *training_cells(record)]) for record in found.records],
    )


def _settings(found: ComparedRuns) -> Table:
    """Of contestants, where a contestant is several runs; otherwise of each run."""
    settings: dict[str, Mapping[str, Any]] = {record.name: record.settings for record in found.records}
    contestants = found.board.contestants if found.board else []
    together = 0 < len(contestants) < len(found.records) and {s.run for e in contestants for s in e.sheets} >= set(
        settings
    )
    if together:
        settings = {entry.label: entry.settings for entry in contestants}
    keys = labels.differing(list(settings.values()))
    notes = [] if keys else ["There are none."]
    if together and (left := [key for key in found.differing if key not in keys]):
        notes.append(f"Runs that are taken together differ in {', '.join(left)}.")
    return Table(
        key="settings",
        title="Settings that differ",
        columns=[Column(heading, kind="text") for heading in ("key", *(settings if keys else ()))],
        rows=[Row([Cell(key), *map(Cell, values)]) for key, values in _values(keys, [*settings.values()]).items()],
        notes=notes,
    )


def _values(keys: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> dict[str, list[str | None]]:
    """What each has. Of a part that some lack altogether, as an evaluation, one row says who has it."""
    found: dict[str, list[str | None]] = {}
    for key in keys:
        part = key.partition(".")[0]
        has = [any(other.startswith(f"{part}.") for other in own) for own in settings]
        if any(has) and not all(has):
            found[part] = ["set" if one else "none" for one in has]
        else:
            found[key] = [str(own[key]) if key in own else None for own in settings]
    return found
