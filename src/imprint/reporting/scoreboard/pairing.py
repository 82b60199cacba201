"""Two entries on what both have numbers of: the same prompts of the same subjects."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from imprint.evaluation.statistics.crossing import table_of_differences
from imprint.evaluation.statistics.intervals import (
    CONFIDENCE,
    UNBOUNDED,
    Bounds,
    Interval,
    difference_interval,
    of_differences,
)
from imprint.evaluation.statistics.nesting import Averaging, Numbers, average
from imprint.reporting.scoreboard.scores import Forest, Prompt, Prompts, as_tree

Unit = Literal["subjects", "prompts"]


@dataclass(frozen=True)
class Pairs:
    """`first` and `second` have the same subjects, and each of them the same prompts; training seeds may differ."""

    first: Forest
    second: Forest
    averaging: Averaging

    @property
    def unit(self) -> Unit:
        """What a test is over: of a single subject, its prompts."""
        return "prompts" if len(self.first) == 1 else "subjects"

    @cached_property
    def prompts(self) -> int:
        """(subject, prompt) pairs."""
        return sum(map(len, self._cells.values()))

    @cached_property
    def differences(self) -> Numbers:
        """A number a unit."""
        if self.unit == "prompts":
            return np.array([each for own in self._cells.values() for each in own.values()])
        means = [
            [average(as_tree([runs]), self.averaging) for runs in forest.values()]
            for forest in (self.first, self.second)
        ]
        return np.subtract(means[0], means[1], dtype=np.float64)

    def interval(
        self, *, draws: int, seed: int, confidence: float = CONFIDENCE, within: Bounds = UNBOUNDED
    ) -> Interval | None:
        """`within` are the bounds of the numbers, not of their differences."""
        if not self._cells:
            return None
        return difference_interval(
            table_of_differences(self._cells),
            centre=float(self.differences.mean()),
            draws=draws,
            seed=seed,
            confidence=confidence,
            within=of_differences(within),
        )

    @cached_property
    def _cells(self) -> Mapping[str, Mapping[Prompt, float]]:
        return {
            subject: {prompt: _mean(runs, prompt) - _mean(self.second[subject], prompt) for prompt in _prompts(runs)}
            for subject, runs in self.first.items()
        }


def paired(first: Forest, second: Forest, averaging: Averaging) -> Pairs:
    """What one of them has lost takes nothing from the other one's mean, and gives it nothing."""
    common = {
        subject: [prompt for prompt in _prompts(runs) if prompt in _prompts(second[subject])]
        for subject, runs in first.items()
        if subject in second
    }
    common = {subject: prompts for subject, prompts in common.items() if prompts}
    kept = [{name: _restricted(forest[name], own) for name, own in common.items()} for forest in (first, second)]
    return Pairs(kept[0], kept[1], averaging)


def _restricted(runs: list[Prompts], prompts: list[Prompt]) -> list[Prompts]:
    kept = [{prompt: run[prompt] for prompt in prompts if prompt in run} for run in runs]
    return [run for run in kept if run]


def _prompts(runs: list[Prompts]) -> dict[Prompt, None]:
    return dict.fromkeys(prompt for run in runs for prompt in run)


def _mean(runs: list[Prompts], prompt: Prompt) -> float:
    """Over training seeds and pictures."""
    return float(np.mean([np.mean(run[prompt]) for run in runs if prompt in run]))
