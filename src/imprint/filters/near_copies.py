"""filter=near_copies: pictures that an encoder of copies holds for one of a photo are rejected."""

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import torch
from annotated_types import Ge, Le
from PIL import Image, ImageOps

from imprint.evaluation.metrics.base import normalised
from imprint.evaluation.records import Needs, Picture
from imprint.filters.base import Candidate, Context, Filter, Verdict, Verdicts
from imprint.filters.copies import is_parent, named
from imprint.kinds import of_kind


@of_kind("filter/near_copies")
class NearCopies(Filter):
    """By the cosine with each photo, to train on or to test with, of the picture or its mirror image. The photo that a
    picture was made from does not count.

    encoder   a role among the encoders: SSCD, or another
    most      the highest cosine that passes
    """

    def __init__(self, *, encoder: str, most: Annotated[float, Ge(-1), Le(1)]) -> None:
        self.encoder = encoder
        self.most = most

    @property
    def needs(self) -> Needs:
        return Needs(sets=(), untuned=(), encoders=(self.encoder,), photos=1)

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        if not context.known:
            return [None] * len(candidates)
        photos = context.features.images(self.encoder, [known.photo for known in context.known])
        photos_MD = normalised(photos, "filter.near_copies, photos")
        seen: list[Sequence[Picture]] = [candidates, [Mirrored(candidate) for candidate in candidates]]
        looks = [normalised(context.features.images(self.encoder, each), "filter.near_copies") for each in seen]
        cosines_NM = torch.stack([look_ND @ photos_MD.T for look_ND in looks]).amax(dim=0)
        return [
            self._verdict(candidate, cosines, context)
            for candidate, cosines in zip(candidates, cosines_NM.tolist(), strict=True)
        ]

    def _verdict(self, candidate: Candidate, cosines: Sequence[float], context: Context) -> Verdict | None:
        pairs = zip(cosines, context.known, strict=True)
        counted = [(cosine, known) for cosine, known in pairs if not is_parent(candidate, known)]
        if not counted:
            return None
        value, known = max(counted, key=lambda pair: pair[0])
        passed = value <= self.most
        reason = "" if passed else f"too like {named(known)} ({value:.3f}, and {self.most} is the most)"
        return Verdict(value, self.most, passed, reason)


class Mirrored(NamedTuple):
    """A picture's mirror image."""

    picture: Candidate

    @property
    def content(self) -> str:
        return f"{self.picture.content}-mirrored"

    def load(self) -> Image.Image:
        return ImageOps.mirror(self.picture.load())
