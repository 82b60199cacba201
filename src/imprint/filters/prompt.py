"""filter=prompt: pictures that show least of what was asked for are rejected."""

from collections.abc import Sequence

from imprint.evaluation.metrics.base import normalised
from imprint.evaluation.records import Needs
from imprint.filters.base import Candidate, Context
from imprint.filters.cut import Cut, Dropped
from imprint.kinds import of_kind


@of_kind("filter/prompt")
class Prompt(Cut):
    """The cosine of a picture and its prompt, without identifiers, by a CLIP. How large it is differs between prompts
    and encoders, so the lowest of a subject are dropped rather than all below a number.

    encoder   a role among the encoders: one with texts
    """

    def __init__(self, *, encoder: str, least: float | None, drop: Dropped) -> None:
        super().__init__(least=least, drop=drop)
        self.encoder = encoder

    @property
    def needs(self) -> Needs:
        return Needs(sets=(), untuned=(), encoders=(self.encoder,), photos=0, sides=("images", "texts"))

    def values(self, candidates: Sequence[Candidate], context: Context) -> Sequence[tuple[float, str]]:
        pictures_ND = normalised(context.features.images(self.encoder, candidates), "filter.prompt")
        texts = [candidate.text for candidate in candidates]
        texts_ND = normalised(context.features.texts(self.encoder, texts), "filter.prompt")
        return [(value, "shows little of its prompt") for value in (pictures_ND * texts_ND).sum(dim=1).tolist()]
