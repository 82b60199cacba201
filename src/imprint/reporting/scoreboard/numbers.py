"""A board for machines: everything as JSON, and every number on a row of its own as CSV."""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

from imprint.reporting.scoreboard.board import Board
from imprint.reporting.scoreboard.comparisons import Comparison
from imprint.reporting.scoreboard.scores import Score


class Number(NamedTuple):
    """What the columns of the CSV are; empty where they do not apply."""

    entry: str
    role: str  # contestant, floor, ceiling
    against: str  # the second of a pair
    metric: str
    profile: str
    fingerprint: str
    kind: str
    subject: str
    category: str
    statistic: str
    value: float


def as_json(board: Board) -> dict[str, Any]:
    return {
        "title": board.title,
        "entries": [
            {
                **{key: value for key, value in entry._asdict().items() if key != "sheets"},
                "runs": list(dict.fromkeys(sheet.run for sheet in entry.sheets)),
                "seeds": sorted({sheet.seed for sheet in entry.sheets}),
                "pictures": asdict(board.pictures[entry.label]),
                "cost": board.costs[entry.label]._asdict() if entry.label in board.costs else None,
            }
            for entry in board.entries
        ],
        "columns": [asdict(column) for column in board.columns],
        "subjects": dict(board.subjects),
        "scores": [asdict(each) for each in board.scores],
        "comparisons": [asdict(each) for each in board.comparisons],
        "not_compared": [asdict(each) for each in board.not_compared],
        "published": [
            {**each.claim._asdict(), "columns": dict(each.metrics), "not_comparable": list(each.against)}
            for each in board.published
        ],
        "notes": list(board.notes),
    }


def as_csv(board: Board) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Number._fields)
    writer.writerows(numbers(board))
    return text.getvalue()


def numbers(board: Board) -> Iterator[Number]:
    columns = {column.key: column for column in board.columns}
    roles = {entry.label: entry.role for entry in board.entries}

    def number(each: Score | Comparison, entry: str, statistic: str, value: float, **place: str) -> Number:
        column = columns[each.column]
        measured = (column.name, column.profile, column.facts.fingerprint)
        where = ("against", "kind", "subject", "category")
        against, kind, subject, category = (place.get(name, "") for name in where)
        return Number(entry, roles[entry], against, *measured, kind, subject, category, statistic, value)

    for score in board.scores:
        place = {"kind": score.kind, "subject": score.subject or "", "category": score.category or ""}
        for statistic, value in _of_score(score):
            yield number(score, score.entry, statistic, value, **place)
    for pair in board.comparisons:
        for statistic, value in _of_pair(pair):
            yield number(pair, pair.first, statistic, value, against=pair.second, kind="all")


def _of_score(score: Score) -> Iterator[tuple[str, float]]:
    yield "mean", score.mean
    if score.interval:
        yield "low", score.interval.low
        yield "high", score.interval.high
    yield "subjects", score.subjects
    if score.seed_spread is not None:
        yield "seed_spread", score.seed_spread


def _of_pair(pair: Comparison) -> Iterator[tuple[str, float]]:
    yield "difference", pair.difference
    if pair.interval:
        yield "low", pair.interval.low
        yield "high", pair.interval.high
    yield pair.unit, pair.units
    for name in ("p", "p_holm", "p_wilcoxon", "p_wilcoxon_holm", "rank_biserial"):
        yield name, getattr(pair, name)
    if pair.hedges_g is not None:
        yield "hedges_g", pair.hedges_g
