"""filter=blank: pictures that show nothing are rejected."""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import NonNegativeFloat

from imprint.filters.base import Candidate, Context, Filter, Verdict, Verdicts
from imprint.kinds import of_kind
from imprint.pictures.files import state_of


@of_kind("filter/blank")
class Blank(Filter):
    """Of one colour, as by a safety checker or where numbers overflowed, or nearly so.

    spread   the least standard deviation of a picture's levels, of 255
    """

    def __init__(self, *, spread: NonNegativeFloat) -> None:
        self.spread = spread

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Candidate) -> Verdict:
        picture = candidate.load()
        levels_HW3 = np.asarray(picture, dtype=np.float32)
        value = float(levels_HW3.std(axis=(0, 1)).max())
        seen = state_of(picture) != "blank" and value >= self.spread
        reason = "" if seen else f"hardly anything to see (spread {value:.2f}, and {self.spread} is the least)"
        return Verdict(value, self.spread, seen, reason)
