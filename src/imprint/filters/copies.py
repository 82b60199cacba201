"""filter=copies: pictures that repeat a photo, of those to train on or to test with, are rejected."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from annotated_types import Gt, Le

from imprint.filters.base import Candidate, Context, Filter, Known, Verdict, Verdicts
from imprint.kinds import of_kind
from imprint.pictures.likeness import Pixels, either_way, nearest_same


@of_kind("filter/copies")
class Copies(Filter):
    """By pixels: the photo saved again or scaled, mirrored, cut out, or cut out of the picture. Cuts are looked for
    among photos of the same class. A picture that was made from a photo may be like it, but not the same.

    crop   the correlation with the most similar part of a photo from which on a picture is a copy
    """

    def __init__(self, *, crop: Annotated[float, Gt(0), Le(1)]) -> None:
        self.crop = crop

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        verdicts = self._cut_out(candidates, context.known)
        pictures = (candidate.load() for candidate in candidates)
        for number, same in enumerate(nearest_same(pictures, (known.photo.load() for known in context.known))):
            if same:
                verdicts[number] = self._verdict(1.0, f"shows the same as {named(context.known[same[0]])}")
        return verdicts

    def _cut_out(self, candidates: Sequence[Candidate], known: Sequence[Known]) -> list[Verdict | None]:
        verdicts: list[Verdict | None] = [self._verdict(0.0, "") for _ in candidates]
        for noun in sorted({candidate.row.noun for candidate in candidates}):
            some = [number for number, candidate in enumerate(candidates) if candidate.row.noun == noun]
            others = [number for number, each in enumerate(known) if each.noun == noun]
            if not others:
                continue
            own = Pixels(candidates[number].load() for number in some)
            theirs = Pixels(known[number].photo.load() for number in others)
            likeness_NM = either_way(own, theirs, threshold=self.crop)
            for row, number in enumerate(some):
                likeness_M = likeness_NM[row].clone()
                for column, other in enumerate(others):
                    if is_parent(candidates[number], known[other]):
                        likeness_M[column] = 0
                likest = int(likeness_M.argmax())
                said = f"repeats a part of {named(known[others[likest]])}"
                verdicts[number] = self._verdict(float(likeness_M[likest]), said)
        return verdicts

    def _verdict(self, value: float, said: str) -> Verdict:
        passed = value < self.crop
        return Verdict(value, self.crop, passed, "" if passed else f"{said} ({value:.3f}, and {self.crop} is a copy)")


def is_parent(candidate: Candidate, known: Known) -> bool:
    return known.subject == candidate.row.subject and known.photo.key == candidate.row.parent


def named(known: Known) -> str:
    return f"{known.photo.key} ({'a photo' if known.photo.trained_on else 'a photo to test with'} of {known.subject})"
