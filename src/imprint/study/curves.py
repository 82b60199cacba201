"""Curves over shots and over the number of pictures, and how many pictures are worth a photo."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imprint.study.arms import Member
from imprint.study.metrics import METRICS
from imprint.study.scores import DRAWS, SEED, Board, Standing

FEWEST = 5  # subjects, from which on a number is told how far it might be off
TAIL = 0.025  # of the resamples on either side


@dataclass(frozen=True, kw_only=True)
class Point:
    """`at` is a number of shots, or of pictures of a subject."""

    at: float
    arm: str
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """`over` says along what. Over pictures, `shots` are those of all points, and the first is the arm without."""

    learner: str
    metric: str
    arm: str
    over: Literal["shots", "pictures"]
    shots: int | None
    points: Sequence[Point]


@dataclass(frozen=True, kw_only=True)
class Worth:
    """`photos` is how many photos alone would do as well as `shots` of them with so many pictures of each subject. None
    where that is beyond the most or the fewest that were tried, which `beyond` says; likewise `low` and `high`, between
    which it is with other subjects like these. `each` is how many of the pictures are worth a photo more."""

    learner: str
    arm: str
    shots: int
    pictures: float
    photos: float | None
    low: float | None
    high: float | None
    each: float | None
    beyond: Literal["", "most", "fewest"]


def curves(
    boards: Sequence[Board],
    members: Mapping[str, Member],
    pictures: Mapping[tuple[str, int], float],
    *,
    against: str,
) -> Iterator[Curve]:
    """`pictures` is how many there are of a subject, by arm and shots."""
    for learner in dict.fromkeys(board.learner for board in boards):
        own = sorted((board for board in boards if board.learner == learner), key=lambda board: board.shots)
        for metric in own[0].metrics:
            yield from _over_shots(own, metric)
            for board in own:
                yield from _over_pictures(board, metric, members, pictures, against)


def _over_shots(boards: Sequence[Board], metric: str) -> Iterator[Curve]:
    if len(boards) < 2:
        return
    for standing in boards[0].standings[metric]:
        points = [_point(board.shots, _of(board, metric, standing.arm)) for board in boards]
        yield Curve(learner=boards[0].learner, metric=metric, arm=standing.arm, over="shots", shots=None, points=points)


def _over_pictures(
    board: Board, metric: str, members: Mapping[str, Member], pictures: Mapping[tuple[str, int], float], against: str
) -> Iterator[Curve]:
    """Of arms of which there are several sizes."""
    standings = board.standings[metric]
    for arm in dict.fromkeys(members[one.arm].of for one in standings):
        sizes = [one for one in standings if members[one.arm].of == arm]
        if len(sizes) > 1:
            points = {pictures[one.arm, board.shots]: one for one in sizes}
            points.setdefault(0, _of(board, metric, against))
            yield Curve(
                learner=board.learner,
                metric=metric,
                arm=arm,
                over="pictures",
                shots=board.shots,
                points=[_point(at, points[at]) for at in sorted(points)],
            )


def _of(board: Board, metric: str, arm: str) -> Standing:
    return next(one for one in board.standings[metric] if one.arm == arm)


def _point(at: float, standing: Standing) -> Point:
    interval = standing.interval
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return Point(at=at, arm=standing.arm, mean=standing.mean, low=low, high=high)


def worths(boards: Sequence[Board], pictures: Mapping[tuple[str, int], float], *, against: str) -> Iterator[Worth]:
    """By the metric that the task is about, where `against` was tried with several numbers of shots."""
    for learner in dict.fromkeys(board.learner for board in boards):
        own = sorted((board for board in boards if board.learner == learner), key=lambda board: board.shots)
        if len(own) < 2:
            continue
        sign = 1 if METRICS[own[0].first].better == "higher" else -1
        curve_SN = sign * np.array([_by_subject(_of(board, board.first, against)) for board in own])
        shots_S = np.array([board.shots for board in own], dtype=float)
        for board in own:
            for standing in board.standings[board.first]:
                count = pictures[standing.arm, board.shots]
                if standing.arm != against and count:
                    found = _worth(sign * np.array(_by_subject(standing)), curve_SN, shots_S)
                    yield Worth(
                        learner=learner,
                        arm=standing.arm,
                        shots=board.shots,
                        pictures=count,
                        photos=_known(found.photos),
                        low=None if found.low is None else _known(found.low),
                        high=None if found.high is None else _known(found.high),
                        each=_each(count, found.photos - board.shots),
                        beyond="most" if found.photos == np.inf else "fewest" if found.photos == -np.inf else "",
                    )


@dataclass(frozen=True, kw_only=True)
class _Found:
    photos: float  # or infinite, either way
    low: float | None
    high: float | None


def _worth(own_N: NDArray[np.float64], curve_SN: NDArray[np.float64], shots_S: NDArray[np.float64]) -> _Found:
    """Subjects are drawn with replacement, the same ones for the arm and for the curve."""
    subjects = len(own_N)
    photos = _photos(float(own_N.mean()), curve_SN.mean(axis=1), shots_S)
    if subjects < FEWEST:
        return _Found(photos=photos, low=None, high=None)
    often_DN = np.random.default_rng(SEED).multinomial(subjects, [1 / subjects] * subjects, size=DRAWS) / subjects
    means_D, curves_DS = often_DN @ own_N, often_DN @ curve_SN.T
    drawn = np.sort([_photos(mean, curve, shots_S) for mean, curve in zip(means_D, curves_DS, strict=True)])
    return _Found(photos=photos, low=float(drawn[int(TAIL * DRAWS)]), high=float(drawn[-1 - int(TAIL * DRAWS)]))


def _photos(mean: float, curve_S: NDArray[np.float64], shots_S: NDArray[np.float64]) -> float:
    """How many photos alone do as well: between those that were tried, along the logarithm of their number. Where more
    photos did worse, they count as no better."""
    rising_S = np.maximum.accumulate(curve_S)
    if mean < rising_S[0]:
        return -np.inf
    if mean > rising_S[-1]:
        return np.inf
    place = int(np.searchsorted(rising_S, mean, side="left"))  # the fewest that do as well
    if place == 0:
        return float(shots_S[0])
    below, above = rising_S[place - 1], rising_S[place]
    part = (mean - below) / (above - below)
    return float(np.exp(np.log(shots_S[place - 1]) * (1 - part) + np.log(shots_S[place]) * part))


def _by_subject(standing: Standing) -> list[float]:
    return [float(np.mean(numbers)) for numbers in standing.by_subject.values()]


def _known(number: float) -> float | None:
    return number if np.isfinite(number) else None


def _each(pictures: float, more: float) -> float | None:
    return pictures / more if np.isfinite(more) and more > 0 else None
