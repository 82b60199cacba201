"""What came of a study: means with intervals, and what arms differ by, subject by subject.

Seeds are averaged to a subject's number; intervals and tests are about other subjects. Arms are compared on equal
subjects and seeds with one of them, `against`; Holm's correction is over the arms of a learner, a number of shots and a
metric.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from imprint.evaluation.statistics.comparing import holm, sign_flip_p
from imprint.evaluation.statistics.crossing import table_of_differences, table_of_means
from imprint.evaluation.statistics.intervals import (
    Bounds,
    Interval,
    difference_interval,
    mean_interval,
    of_differences,
)
from imprint.study.cells import Cell, Place, Result
from imprint.study.examples import Example
from imprint.study.gaps import share_interval
from imprint.study.metrics import METRICS
from imprint.study.tasks.base import Task

DRAWS = 10_000  # resamples
SEED = 0  # of the bootstrap
NO_SHIFT = "none"  # as photos to test on are called that have nothing which training has not

# Of a subject, each seed's number.
BySubject = Mapping[str, Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """From `against`; above 0 is better where higher is better. `p` is the sign-flip test's over subjects."""

    mean: float
    interval: Interval | None
    p: float
    p_holm: float
    by_subject: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Of an arm, by one metric. `closed` is the share of what the ceiling gains that this arm gains, where the ceiling
    gains more than chance, and `closed_interval` how far that might be off."""

    arm: str
    metric: str
    mean: float
    interval: Interval | None
    spread: float | None  # over seeds, of the mean
    by_subject: BySubject
    difference: Difference | None
    closed: float | None
    closed_interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Board:
    """Of a learner with so many shots: by metric, the arms. The task is about the first metric. `shifts` are the same
    of test photos of a kind alone, where there are several kinds."""

    learner: str
    shots: int
    unit: str  # what scores are by: subjects, classes
    standings: Mapping[str, Sequence[Standing]]
    shifts: Mapping[str, Mapping[str, Sequence[Standing]]]
    seconds: Mapping[str, float]  # of learning, by arm

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(self.standings)

    @property
    def first(self) -> str:
        return self.metrics[0]


def boards(
    task: Task, done: Sequence[tuple[Cell, Result]], *, nouns: Mapping[str, str], against: str, ceiling: str
) -> list[Board]:
    numbers = _numbers(task, done, None)
    kinds = sorted({one.shift for cell, _ in done for one in cell.tests})
    by_shift = {kind or NO_SHIFT: _numbers(task, done, kind) for kind in kinds} if len(kinds) > 1 else {}
    found = []
    for learner, shots in dict.fromkeys((place.learner, place.shots) for place in _places(done)):
        arms = list(dict.fromkeys(p.arm for p in _places(done) if (p.learner, p.shots) == (learner, shots)))
        own, *by_kind = ({arm: of[arm, shots, learner] for arm in arms} for of in (numbers, *by_shift.values()))
        found.append(
            Board(
                learner=learner,
                shots=shots,
                unit=task.unit,
                standings=_by_metric(task, own, nouns, against, ceiling),
                shifts={
                    kind: _by_metric(task, each, nouns, against, ceiling)
                    for kind, each in zip(by_shift, by_kind, strict=True)
                    if each[arms[0]][task.metrics[0]]  # somebody has a score
                },
                seconds={
                    arm: sum(
                        result.seconds
                        for cell, result in done
                        if (cell.place.arm, cell.place.shots, cell.place.learner) == (arm, shots, learner)
                    )
                    for arm in arms
                },
            )
        )
    return found


def _places(done: Sequence[tuple[Cell, Result]]) -> list[Place]:
    return [cell.place for cell, _ in done]


# By arm, shots and learner: by metric and subject, a number for each seed, in their order.
_Numbers = Mapping[tuple[str, int, str], Mapping[str, BySubject]]


def _numbers(task: Task, done: Sequence[tuple[Cell, Result]], shift: str | None) -> _Numbers:
    """Of the tests of a kind; None: of all."""
    found: dict[tuple[str, int, str], dict[str, dict[str, list[float]]]] = {}
    for cell, result in done:
        place = cell.place
        tests: list[Example] = [one for one in cell.tests if shift in (None, one.shift)]
        scores = task.scores(cell.question, result.of(tests), tests) if tests else {}
        by_metric = found.setdefault((place.arm, place.shots, place.learner), {metric: {} for metric in task.metrics})
        for subject, own in scores.items():
            for metric, value in own.items():
                by_metric[metric].setdefault(subject, []).append(value)
    return found


def _by_metric(
    task: Task, own: Mapping[str, Mapping[str, BySubject]], nouns: Mapping[str, str], against: str, ceiling: str
) -> dict[str, list[Standing]]:
    return {metric: list(_standings(own, metric, nouns, against, ceiling)) for metric in task.metrics}


def _standings(
    own: Mapping[str, Mapping[str, BySubject]], metric: str, nouns: Mapping[str, str], against: str, ceiling: str
) -> Iterator[Standing]:
    differences = {arm: _differences(own[arm][metric], own[against][metric]) for arm in own if arm != against}
    p_values = {arm: sign_flip_p(np.array(list(each.values()))) for arm, each in differences.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    found = {
        arm: _difference(each, p_values[arm], adjusted[arm], METRICS[metric].bounds)
        for arm, each in differences.items()
    }
    most = found.get(ceiling)
    for arm, by_metric in own.items():
        by_subject = by_metric[metric]
        mean = float(np.mean([np.mean(numbers) for numbers in by_subject.values()]))
        table = table_of_means(
            {subject: [{"": [number]} for number in numbers] for subject, numbers in by_subject.items()},
            classes={subject: nouns.get(subject, subject) for subject in by_subject},
            averaging="macro",
        )
        difference = found.get(arm)
        closed = _closed(difference, most, METRICS[metric].better) if arm != ceiling else None
        closed_interval = None
        if closed is not None:
            assert difference is not None and most is not None
            closed_interval = share_interval(difference.by_subject, most.by_subject)
        yield Standing(
            arm=arm,
            metric=metric,
            mean=mean,
            interval=mean_interval(table, centre=mean, draws=DRAWS, seed=SEED, within=METRICS[metric].bounds),
            spread=_spread(by_subject),
            by_subject=by_subject,
            difference=difference,
            closed=closed,
            closed_interval=closed_interval,
        )


def _differences(own: BySubject, base: BySubject) -> dict[str, float]:
    return {subject: float(np.mean(numbers)) - float(np.mean(base[subject])) for subject, numbers in own.items()}


def _difference(by_subject: Mapping[str, float], p: float, p_holm: float, bounds: Bounds) -> Difference:
    mean = float(np.mean(list(by_subject.values())))
    table = table_of_differences({subject: {"": value} for subject, value in by_subject.items()})
    return Difference(
        mean=mean,
        interval=difference_interval(table, centre=mean, draws=DRAWS, seed=SEED, within=of_differences(bounds)),
        p=p,
        p_holm=p_holm,
        by_subject=by_subject,
    )


def _closed(own: Difference | None, most: Difference | None, better: Literal["higher", "lower"]) -> float | None:
    """A share of a gap that may be none would be any number."""
    if own is None or most is None or most.interval is None or not most.interval.excludes_zero:
        return None
    gains = most.mean > 0 if better == "higher" else most.mean < 0
    return own.mean / most.mean if gains else None


def _spread(by_subject: BySubject) -> float | None:
    """The standard deviation over seeds of the mean over subjects."""
    seeds = min(len(numbers) for numbers in by_subject.values())
    means = [np.mean([numbers[seed] for numbers in by_subject.values()]) for seed in range(seeds)]
    return float(np.std(means, ddof=1)) if seeds > 1 else None
