"""filter=share: of each subject the best are kept, and as many of each."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from annotated_types import Gt, Le

from imprint.filters.base import Candidate, Context, Filter, Verdict, Verdicts, by_subject, passed
from imprint.kinds import of_kind


@of_kind("filter/share")
class Share(Filter):
    """It comes last in a list: of those that the filters before it let pass, it keeps the best. A classifier that is
    trained on equal numbers learns nothing from how hard a subject is to draw.

    share   how many are kept, of the pictures of the subject of which fewest were drawn
    by      the filter whose number says which are best; null, or where that says nothing: the first ones
    """

    def __init__(self, *, share: Annotated[float, Gt(0), Le(1)], by: str | None) -> None:
        self.share = share
        self.by = by

    def count(self, candidates: Sequence[Candidate]) -> int:
        """How many of each subject are kept."""
        fewest = min(len(numbers) for numbers in by_subject(candidates).values())
        return max(1, math.floor(self.share * fewest + 1e-9))  # .75 x 4 is 3, whatever the binary digits say

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        count, judged = self.count(candidates), earlier.get(self.by or "", ())
        verdicts: list[Verdict | None] = [None] * len(candidates)
        for numbers in by_subject(candidates).values():
            left = [number for number in numbers if passed(earlier, number)]
            left.sort(key=lambda number: -_value(judged, number))  # stable: equal ones stay in their order
            for place, number in enumerate(left):
                kept = place < count
                reason = "" if kept else f"{place + 1}th of its subject, of which {count} are kept"
                verdicts[number] = Verdict(place + 1, count, kept, reason)
        return verdicts

    def shortages(self, candidates: Sequence[Candidate], earlier: Mapping[str, Verdicts]) -> Iterator[str]:
        if self.by is not None and self.by not in earlier:
            there = f"there is {', '.join(earlier)}" if earlier else "there is none"
            yield f"by={self.by}: no filter before it is called so; {there}. Put it last, or give by=null."
        count = self.count(candidates)
        left = {
            subject: sum(passed(earlier, number) for number in numbers)
            for subject, numbers in by_subject(candidates).items()
        }
        if short := [f"{subject} ({there})" for subject, there in left.items() if 0 < there < count]:
            yield (
                f"share={self.share} keeps {count} pictures of each subject, and fewer have passed of "
                f"{', '.join(short)}. Loosen the filters before it, draw more of all (images=...), or keep a "
                "smaller share."
            )


def _value(judged: Verdicts, number: int) -> float:
    verdict = judged[number] if judged else None
    return 0.0 if verdict is None else verdict.value
