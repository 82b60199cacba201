"""filter=identity: pictures that look more like another subject than like their own are rejected."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import torch

from imprint.evaluation.metrics.base import normalised
from imprint.evaluation.records import Needs
from imprint.filters.base import Candidate, Context, Verdicts
from imprint.filters.cut import Cut, Dropped
from imprint.kinds import of_kind

log = logging.getLogger(__name__)


@of_kind("filter/identity")
class Identity(Cut):
    """The margin: the mean cosine with the subject's photos, less that with the photos of the nearest other subject.
    The cosine alone also measures the background, and so prefers copies.

    encoder   a role among the encoders
    alone     what a subject without others means: refuse, an error; skip, that nothing is measured
    """

    def __init__(self, *, encoder: str, least: float | None, drop: Dropped, alone: Literal["refuse", "skip"]) -> None:
        super().__init__(least=least, drop=drop)
        self.encoder = encoder
        self.alone = alone

    @property
    def needs(self) -> Needs:
        return Needs(sets=(), untuned=(), encoders=(self.encoder,), photos=1)

    def problems(self, context: Context) -> Iterator[str]:
        if len(subjects := context.photos_by_subject()) < 2 and self.alone == "refuse":
            only = f"only those of {next(iter(subjects))}" if subjects else "none"
            yield (
                f"the margin is to another subject, and of photos to compare with there are {only}. Draw at least two "
                "subjects together, leave the filter out, or give filter.identity.alone=skip."
            )
        if without := [subject for subject in context.subjects if subject not in subjects]:
            yield f"{', '.join(without)}: there is no photo to compare with. Give photos, or leave the filter out."

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        if len(context.photos_by_subject()) < 2:
            log.warning("filter.identity: there is no other subject, so no margin is measured.")
            return [None] * len(candidates)
        return super().judge(candidates, context, earlier)

    def values(self, candidates: Sequence[Candidate], context: Context) -> Sequence[tuple[float, str]]:
        photos = context.photos_by_subject()
        subjects = list(photos)
        pictures_ND = normalised(context.features.images(self.encoder, candidates), "filter.identity")
        columns = []
        for subject, own in photos.items():
            photos_RD = normalised(context.features.images(self.encoder, own), f"filter.identity, photos of {subject}")
            columns.append((pictures_ND @ photos_RD.T).mean(dim=1))
        cosines_NS = torch.stack(columns, dim=1)
        return [
            _margin(cosines_S.tolist(), subjects, candidate.row.subject)
            for cosines_S, candidate in zip(cosines_NS, candidates, strict=True)
        ]


def _margin(cosines: Sequence[float], subjects: Sequence[str], subject: str) -> tuple[float, str]:
    own = cosines[subjects.index(subject)]
    nearest, rival = max((cosine, name) for cosine, name in zip(cosines, subjects, strict=True) if name != subject)
    nearer = "nearer to" if nearest > own else "hardly further from"
    return own - nearest, f"{nearer} {rival}"
