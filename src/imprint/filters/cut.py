"""Filters that give each picture a number, and reject where it is low: below a bound, or lowest of its subject."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated

from annotated_types import Ge, Lt

from imprint.filters.base import Candidate, Context, Filter, Verdict, Verdicts, by_subject

Dropped = Annotated[float, Ge(0), Lt(1)]  # which share of a subject's pictures is rejected


class Cut(Filter):
    """least   the lowest number that passes; null: there is no such bound
    drop    the share of each subject's pictures with the lowest numbers that is rejected, whatever they are
    """

    def __init__(self, *, least: float | None, drop: Dropped) -> None:
        self.least = least
        self.drop = drop

    @abstractmethod
    def values(self, candidates: Sequence[Candidate], context: Context) -> Sequence[tuple[float, str]]:
        """Of each candidate a number, and what it says, in a few words."""

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        values = self.values(candidates, context)
        verdicts: list[Verdict | None] = [None] * len(candidates)
        for numbers in by_subject(candidates).values():
            threshold = self._threshold([values[number][0] for number in numbers])
            for number in numbers:
                value, said = values[number]
                below = value < threshold
                reason = f"{said} ({value:.3f}, and {threshold:.3f} is the least)" if below else ""
                verdicts[number] = Verdict(value, threshold, not below, reason)
        return verdicts

    def _threshold(self, values: Sequence[float]) -> float:
        """-1, the least of all cosines and their differences that occur, where nothing is too low."""
        ordered = sorted(values)
        dropped = math.floor(self.drop * len(ordered) + 1e-9)  # .1 x 30 is 3, whatever the binary digits say
        bounds = [ordered[dropped]] if dropped else []
        return max([*bounds, *([] if self.least is None else [self.least])], default=min(ordered))
