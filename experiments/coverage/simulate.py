"""How often imprint's intervals have the true value, and how often nothing is praised: the program's own functions on
made-up scores whose truth is known.

    python experiments/coverage/simulate.py        # some minutes; writes results/
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imprint.evaluation.score_sheet import MetricFacts
from imprint.evaluation.statistics.crossing import table_of_differences, table_of_means
from imprint.evaluation.statistics.intervals import Interval, difference_interval, mean_interval
from imprint.files import write_text
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.leading import leader
from imprint.reporting.scoreboard.scores import Forest, Prompt
from imprint.tables.csv import as_csv
from imprint.tables.markdown import markdown
from imprint.tables.table import UNKNOWN, Cell, Column, Table
from imprint.tables.table import Row as TableRow

RESULTS = Path(__file__).parent / "results"
TIMES = 1000  # simulated boards of each design
DRAWS = 1000
# Standard deviations of DINO as runs of Stable Diffusion have them: of subjects, prompts, both together, pictures.
SUBJECT, PROMPT, BOTH, PICTURE = 0.137, 0.14, 0.12, 0.12
# Of a difference of two methods: of subjects, prompts, both together.
GAIN, GAIN_OF_PROMPT, GAIN_OF_BOTH = 0.091, 0.05, 0.08
# How many of DreamBooth's thirty subjects its fifteen classes have.
CLASSES = np.repeat(np.arange(15), (7, 5, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1))
COLUMN = ScoreColumn(
    key="dino",
    name="dino",
    title="DINO",
    profile="",
    sampling="",
    averaging="macro",
    facts=MetricFacts(title="DINO", better="higher", fingerprint="", settings={}, encoders={}),
)

Scores = NDArray[np.float64]  # (subjects, prompts, pictures)
Generator = np.random.Generator
Design = tuple[int, int, int]  # subjects, prompts, pictures of each


class Case(NamedTuple):
    """An interval and the true values that it might be asked to have."""

    interval: Interval | None
    truths: tuple[float, ...]


class Row(NamedTuple):
    what: str
    design: str
    about: str
    covered: float | None  # None: no such interval is given
    width: float | None  # the median
    covers: str


class World(NamedTuple):
    """Made-up numbers, and what they are made of."""

    numbers: Scores
    subjects: NDArray[np.float64]
    prompts: NDArray[np.float64]
    both: NDArray[np.float64]  # (subjects, prompts)

    def truths(self, *, subjects_alone: bool) -> tuple[float, float]:
        """The mean with the same prompts and with all there are; of all subjects, or of these alone."""
        own, both = (float(self.subjects.mean()), float(self.both.mean())) if subjects_alone else (0.0, 0.0)
        return own + both + float(self.prompts.mean()), own


def world(
    random: Generator,
    subjects: NDArray[np.float64],
    *,
    prompt: float,
    both: float,
    picture: float,
    prompts: int,
    pictures: int,
) -> World:
    of_prompt = random.normal(0, prompt, prompts)
    of_both = random.normal(0, both, (len(subjects), prompts))
    cells = subjects[:, None] + of_prompt + of_both
    numbers = cells[:, :, None] + random.normal(0, picture, (len(subjects), prompts, pictures))
    return World(numbers, subjects, of_prompt, of_both)


def scores(random: Generator, design: Design, *, icc: float = 0.0) -> World:
    """`icc`: how much of what subjects differ by their classes have."""
    subjects, prompts, pictures = design
    own = random.normal(0, SUBJECT, subjects)
    if icc:
        own = np.sqrt(icc) * random.normal(0, SUBJECT, CLASSES.max() + 1)[CLASSES] + np.sqrt(1 - icc) * own
    return world(random, own, prompt=PROMPT, both=BOTH, picture=PICTURE, prompts=prompts, pictures=pictures)


def forest_of(numbers: Scores) -> Forest:
    prompts = [Prompt("subject", number, "") for number in range(numbers.shape[1])]
    return {f"subject {place}": [dict(zip(prompts, own.tolist(), strict=True))] for place, own in enumerate(numbers)}


def of_mean(random: Generator, *, design: Design, icc: float = 0.0) -> Case:
    made = scores(random, design, icc=icc)
    forest = forest_of(made.numbers)
    kinds = CLASSES if icc else np.arange(len(forest))
    table = table_of_means(
        forest, classes={name: str(kind) for name, kind in zip(forest, kinds, strict=True)}, averaging="macro"
    )
    found = mean_interval(table, centre=float(made.numbers.mean()), draws=DRAWS, seed=int(random.integers(2**31)))
    return Case(found, made.truths(subjects_alone=table.rows is None))


def of_difference(random: Generator, *, design: Design, is_skewed: bool) -> Case:
    subjects, prompts, pictures = design
    made = world(
        random,
        gains(random, subjects, is_skewed=is_skewed),
        prompt=GAIN_OF_PROMPT,
        both=GAIN_OF_BOTH,
        picture=PICTURE * np.sqrt(2),
        prompts=prompts,
        pictures=pictures,
    )
    found = _between(made.numbers.mean(axis=2), random)
    return Case(found, made.truths(subjects_alone=found is not None and "subjects" not in found.resampled))


def of_single_numbers(random: Generator, *, subjects: int, is_skewed: bool) -> Case:
    """Of each subject one difference and nothing else: nothing softens the skew."""
    return Case(_between(gains(random, subjects, is_skewed=is_skewed)[:, None], random), (0.0,))


def gains(random: Generator, subjects: int, *, is_skewed: bool) -> NDArray[np.float64]:
    """With a mean of 0: normal, or lognormal with a skewness of 6."""
    normal = random.normal(0, 1, subjects)
    if not is_skewed:
        return GAIN * normal
    return np.asarray(GAIN * (np.exp(normal) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e))


def praises(random: Generator, *, methods: int, design: Design) -> bool:
    """Whether one of several methods that are all alike is called the best. Each is better at some subjects; at a
    single one that would be a difference."""
    subjects, prompts, pictures = design
    common = scores(random, design).numbers
    contestants = {
        str(number): forest_of(
            common.mean(axis=2, keepdims=True)
            + random.normal(0, GAIN if subjects > 1 else 0, (subjects, 1, 1))
            + random.normal(0, GAIN_OF_BOTH, (subjects, prompts, 1))
            + random.normal(0, PICTURE, (subjects, prompts, pictures))
        )
        for number in range(methods)
    }
    found = leader(contestants, {}, COLUMN, draws=DRAWS, seed=int(random.integers(2**31)))
    return found is not None and found.is_best


def covered(make: Callable[[Generator], Case], times: int) -> Iterator[tuple[float | None, float | None, str]]:
    """Of each truth how often the interval has it, the interval's median width, and what it says it covers."""
    cases = [make(np.random.default_rng([7, number])) for number in range(times)]
    for place in range(len(cases[0].truths)):
        known = [(case.interval, case.truths[place]) for case in cases if case.interval]
        if not known:
            yield None, None, ""
            continue
        hits = [interval.low <= truth <= interval.high for interval, truth in known]
        widths = [interval.high - interval.low for interval, _ in known]
        yield float(np.mean(hits)), float(np.median(widths)), known[0][0].covers


def rows(times: int) -> Iterator[Row]:
    designs = [(30, 25, 4), (9, 25, 4), (5, 25, 4), (3, 25, 4), (30, 4, 2), (9, 4, 2), (5, 4, 2), (3, 4, 2), (1, 4, 2)]
    for design in designs:
        yield from _rows("mean", design, partial(of_mean, design=design), times)
    for icc in (0.4, 0.7, 0.98):
        for design in ((30, 25, 4), (30, 4, 2)):
            yield from _rows(f"mean, 15 classes, ICC {icc}", design, partial(of_mean, design=design, icc=icc), times)
    for is_skewed, what in ((False, "difference, normal"), (True, "difference, lognormal")):
        for design in designs:
            yield from _rows(what, design, partial(of_difference, design=design, is_skewed=is_skewed), times)
        for subjects in (3, 4, 5, 6, 9, 15, 30):
            alone = partial(of_single_numbers, subjects=subjects, is_skewed=is_skewed)
            yield from _rows(what, (subjects, 1, 1), alone, times)


def _rows(what: str, design: Design, make: Callable[[Generator], Case], times: int) -> Iterator[Row]:
    print(what, *design, file=sys.stderr, flush=True)
    abouts = ("same prompts", "other prompts") if design[1] > 1 else ("one number a subject",)
    for about, (share, width, covers) in zip(abouts, covered(make, times), strict=True):
        yield Row(what, " x ".join(map(str, design)), about, share, width, covers)


def praise(times: int) -> Iterator[tuple[int, str, float]]:
    for methods in (2, 3, 8):
        for design in ((9, 25, 4), (30, 25, 4), (1, 4, 2)):
            print("praise", methods, *design, file=sys.stderr, flush=True)
            found = [
                praises(np.random.default_rng([8, number]), methods=methods, design=design) for number in range(times)
            ]
            yield methods, " x ".join(map(str, design)), float(np.mean(found))


def _between(cells: NDArray[np.float64], random: Generator) -> Interval | None:
    table = table_of_differences({str(place): dict(enumerate(own.tolist())) for place, own in enumerate(cells)})
    return difference_interval(table, centre=float(cells.mean()), draws=DRAWS, seed=int(random.integers(2**31)))


def write_rows(found: Sequence[Row]) -> None:
    write_text(RESULTS / "coverage.csv", as_csv(Table.of_values(Row._fields, found)))
    table = Table(
        columns=[
            *(Column(heading, kind="text") for heading in ("of", "subjects x prompts x pictures", "truth")),
            Column("has it", "{:.3f}".format),
            Column("median width", "{:.3f}".format),
            Column("says that it covers", kind="text"),
        ],
        rows=[TableRow([*map(Cell, row)]) for row in found],
        notes=[f"{UNKNOWN} no interval is given."],
    )
    write_text(RESULTS / "coverage.md", markdown(table))


def main() -> None:
    write_rows(list(rows(TIMES)))
    praised = list(praise(TIMES // 5))
    write_text(RESULTS / "praise.csv", as_csv(Table.of_values(("methods", "design", "called the best"), praised)))


if __name__ == "__main__":
    main()
