"""Which point is ahead."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from imprint.launching.prospects import Prospect
from imprint.launching.standing import Standing
from imprint.reporting.units import score


class Best(NamedTuple):
    prospect: Prospect
    metric: str
    value: float

    def __str__(self) -> str:
        return f"{self.metric} {score(self.value)}: {self.prospect.told}"


def best_of(prospects: Sequence[Prospect], standings: Mapping[str, Standing]) -> Best | None:
    """By the first objective that any point was measured by."""
    for name in prospects[0].plan.parts.sweep.objectives:
        scored = [prospect for prospect in prospects if name in standings[prospect.name].means]
        if scored:
            values = {prospect.name: standings[prospect.name].means[name] for prospect in scored}
            sign = -1 if _lower_is_better(scored[0], name) else 1
            ahead = max(scored, key=lambda prospect: sign * values[prospect.name])
            return Best(ahead, name, values[ahead.name])
    return None


def _lower_is_better(prospect: Prospect, name: str) -> bool:
    profile = prospect.plan.parts.evaluation
    return profile is not None and name in profile.metrics and profile.metrics[name].better == "lower"
