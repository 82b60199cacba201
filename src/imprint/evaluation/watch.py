"""When a run is scored while it trains, and the rules that depend on the scores: keep=best and patience."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pydantic import NonNegativeInt, PositiveInt

from imprint.errors import Problem
from imprint.evaluation.profile import Profile
from imprint.kinds import of_kind
from imprint.suggestions import nearest


class LiveScore(NamedTuple):
    """A metric at one step of a training."""

    mean: float
    fingerprint: str  # of what the number means


@of_kind("watch/default")
class Watch:
    """Has the run scored at the start, each `every` steps and at the end; with 0, only when it is finished.

    The rules `keep` and `patience` go by one metric, chosen beforehand, and change the result; they are part of the
    run's identity where they are used.
    """

    def __init__(
        self,
        *,
        every: NonNegativeInt,
        by: str | None,
        keep: Literal["last", "best"],
        patience: PositiveInt | None,
    ) -> None:
        self.every = every
        self.by = by
        self.keep = keep
        self.patience = patience
        if self.has_rule and not by:
            raise ValueError("by=None: keep=best and patience go by a metric. Name one of the evaluation's: by=dino.")
        if self.has_rule and not every:
            raise ValueError("every=0: keep=best and patience need scores on the way. Give every=50, for instance.")

    @property
    def has_rule(self) -> bool:
        """Whether scores decide what the result is."""
        return self.keep == "best" or self.patience is not None

    def due(self, step: int, total: int) -> bool:
        return self.every > 0 and (step == total or step % self.every == 0)

    def problems(self, profile: Profile | None) -> Iterator[Problem]:
        """Why the rules cannot be applied; keys are absolute."""
        if profile is None:
            if self.every:
                remedy = "nothing is scored while evaluation=none. Choose one: evaluation=quick."
                yield Problem("watch.every", self.every, remedy)
            return
        if self.by and self.by not in profile.metrics:
            remedy = f"{profile.name} has no such metric; {nearest(self.by, profile.metrics)}"
            yield Problem("watch.by", self.by, remedy)
        elif self.by and profile.metrics[self.by].better == "neither":
            yield Problem("watch.by", self.by, "of this metric neither more nor less is better. Choose another.")

    def best(self, scores: Sequence[float], profile: Profile) -> int:
        """Which of the scores is best; the earliest of equal ones."""
        assert self.by is not None
        sign = 1.0 if profile.metrics[self.by].better == "higher" else -1.0
        return max(range(len(scores)), key=lambda i: (-math.inf if math.isnan(scores[i]) else sign * scores[i], -i))

    def is_over(self, scores: Sequence[float], profile: Profile) -> bool:
        """Whether there was no better score for `patience` times."""
        return self.patience is not None and len(scores) - 1 - self.best(scores, profile) >= self.patience
