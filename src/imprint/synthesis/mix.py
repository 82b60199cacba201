"""synthesis=mix: a photo of one subject, drawn on as another (Diff-Mix, arXiv 2403.19600). Something of both is in
it, and the label says how much: the other's share is strength ^ gamma."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from annotated_types import MinLen
from PIL import Image
from pydantic import PositiveFloat

from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.labelled.row import Quality
from imprint.synthesis.base import Asked, Beginning, Strength, Synthesis
from imprint.synthesis.prompts import Prompts, turn
from imprint.synthesis.taught import Taught


@of_kind("synthesis/mix")
class Mix(Synthesis):
    name = "mix"

    def __init__(
        self, *, prompts: Prompts, strengths: Annotated[list[Strength], MinLen(1)], gamma: PositiveFloat
    ) -> None:
        self.prompts = prompts
        self.strengths = strengths
        self.gamma = gamma

    @property
    def uses_photos(self) -> bool:
        return True

    def problems(self, subjects: Sequence[Taught], images: int) -> Iterator[Problem | str]:
        yield from super().problems(subjects, images)
        if len(subjects) < 2:
            yield "synthesis=mix draws on photos of one subject as another: give two subjects or more."

    def beginning(self, asked: Asked) -> Beginning:
        assert asked.photo is not None
        return Beginning(asked.seen.photo(asked.photo), None)

    def mask(self, asked: Asked) -> tuple[Image.Image, Quality] | None:
        return None

    def _photo(self, subject: Taught, subjects: Sequence[Taught], index: int) -> tuple[Taught, int | None]:
        """The others' in turn, and of each its photos in turn."""
        others = [other for other in subjects if other is not subject]
        seen = others[turn(len(others), index, subject.label, "other")]
        return seen, turn(len(seen.photos), index // len(others), subject.label, seen.label, "photo")

    def _labels(self, subject: Taught, seen: Taught, strength: float | None) -> dict[str, float]:
        assert strength is not None
        share = round(strength**self.gamma, 6)
        return {subject.label: share, **({seen.label: round(1 - share, 6)} if share < 1 else {})}
