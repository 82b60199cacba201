"""Every number of a study on a row of its own, for programs and spreadsheets: study.csv."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from imprint.evaluation.statistics.intervals import Interval
from imprint.study.scores import Board, Standing
from imprint.tables.table import Table


class Number(NamedTuple):
    """What the columns are; empty where they do not apply."""

    learner: str
    shots: int
    arm: str
    against: str  # of a difference
    metric: str
    shift: str  # of photos to test on; empty: all of them
    subject: str  # or class, whatever scores are by; empty: the mean over them
    seed: int | None  # empty: the mean over seeds
    statistic: str  # docs/study.md lists them
    value: float


def number_table(boards: Sequence[Board], *, against: str, seeds: Sequence[int]) -> Table:
    rows = [number for board in boards for number in _numbers(board, against, seeds)]
    return Table.of_values(Number._fields, rows)


def _numbers(board: Board, against: str, seeds: Sequence[int]) -> Iterator[Number]:
    kinds = [("", metric, of) for metric, of in board.standings.items()]
    kinds += [(shift, metric, of) for shift, metrics in board.shifts.items() for metric, of in metrics.items()]
    for shift, metric, standings in kinds:
        for one in standings:
            row = Number(board.learner, board.shots, one.arm, "", metric, shift, "", None, "", 0.0)
            for subject, numbers in one.by_subject.items():
                of_subject = row._replace(subject=subject)
                for seed, value in zip(seeds, numbers, strict=False):
                    yield of_subject._replace(seed=seed, statistic="value", value=value)
                yield of_subject._replace(statistic="mean", value=float(np.mean(numbers)))
            yield from _known(row, _means(one))
            if one.difference is not None:
                compared = row._replace(against=against)
                for subject, value in one.difference.by_subject.items():
                    yield compared._replace(subject=subject, statistic="difference", value=value)
                yield from _known(compared, _differences(one))
    for arm, seconds in board.seconds.items():
        yield Number(board.learner, board.shots, arm, "", "", "", "", None, "seconds", seconds)


def _known(row: Number, values: Mapping[str, float | None]) -> Iterator[Number]:
    for statistic, value in values.items():
        if value is not None:
            yield row._replace(statistic=statistic, value=value)


def _means(one: Standing) -> Mapping[str, float | None]:
    return {
        "mean": one.mean,
        **_bounds(one.interval),
        "seed_spread": one.spread,
        "subjects": len(one.by_subject),
    }


def _differences(one: Standing) -> Mapping[str, float | None]:
    difference = one.difference
    assert difference is not None
    return {
        "difference": difference.mean,
        **_bounds(difference.interval),
        "p": difference.p,
        "p_holm": difference.p_holm,
        "gap_closed": one.closed,
        **{f"gap_closed_{end}": value for end, value in _bounds(one.closed_interval).items()},
    }


def _bounds(interval: Interval | None) -> dict[str, float]:
    return {"low": interval.low, "high": interval.high} if interval else {}
