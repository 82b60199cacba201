"""What a study leaves: study.json and study.csv for programs, study.md and study.html to read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from imprint.files import write_json, write_text
from imprint.study.acceptance import acceptance
from imprint.study.costs import named, set_cost
from imprint.study.findings import Findings
from imprint.study.page import render
from imprint.study.rows import number_table
from imprint.study.scores import Board, Standing
from imprint.tables.csv import as_csv
from imprint.tables.markdown import markdown, plain
from imprint.tables.table import Table

VERSION = 1
JSON, CSV, MARKDOWN, PAGE = "study.json", "study.csv", "study.md", "study.html"


def write(findings: Findings) -> list[Table]:
    """Returns the tables that are for the terminal, too."""
    folder = findings.folder
    write_json(folder / JSON, as_json(findings))
    write_text(folder / CSV, as_csv(number_table(findings.boards, against=findings.against, seeds=findings.seeds)))
    write_text(folder / MARKDOWN, _markdown(findings))
    write_text(folder / PAGE, render(findings))
    return findings.main_tables


def as_json(findings: Findings) -> dict[str, Any]:
    return {
        "version": VERSION,
        **findings.about,
        "headlines": findings.headlines,
        "seeds": list(findings.seeds),
        "arms": {name: member._asdict() for name, member in findings.members.items()},
        "curves": [asdict(one) for one in findings.curves],
        "worth": [asdict(one) for one in findings.worths],
        "boards": [_board(board) for board in findings.boards],
        "calibration": [
            {**curve._asdict(), "bins": [one._asdict() for one in curve.bins]} for curve in findings.calibration
        ],
        "data_sets": [
            {
                "folder": named(pictures),
                "source": pictures.source,
                "seconds": set_cost(pictures, near=[])._asdict(),
                "acceptance": _values(acceptance(pictures, findings.material.subjects)),
            }
            for pictures in findings.material.sets
            if pictures.pictures
        ],
        "costs": {arm: {**cost._asdict(), "each": cost.each} for arm, cost in findings.costs.items()},
    }


def _markdown(findings: Findings) -> str:
    facts = [f"{key}: {value}" for key, value in findings.about["facts"].items()]
    said = [*findings.headlines, *facts, *findings.about["remarks"]]
    lines = ["# Does it help?", "", *(f"- {plain(fact)}" for fact in said), ""]
    tables = [*findings.main_tables, *findings.further_tables, *findings.shift_tables, *findings.subject_tables]
    return "\n".join([*lines, *map(markdown, tables)])


def _board(board: Board) -> dict[str, Any]:
    return {
        "learner": board.learner,
        "shots": board.shots,
        "seconds": dict(board.seconds),
        "unit": board.unit,
        "metrics": list(board.metrics),
        "arms": _by_arm(board.standings),
        "shifts": {kind: _by_arm(standings) for kind, standings in board.shifts.items()},
    }


def _by_arm(standings: Mapping[str, Sequence[Standing]]) -> dict[str, Any]:
    arms = [one.arm for one in next(iter(standings.values()))]
    return {arm: {metric: _standing(of[place]) for metric, of in standings.items()} for place, arm in enumerate(arms)}


def _standing(standing: Standing) -> dict[str, Any]:
    return {key: value for key, value in asdict(standing).items() if key not in ("arm", "metric")}


def _values(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(map(str.lower, table.headings), row, strict=True)) for row in table.values]
