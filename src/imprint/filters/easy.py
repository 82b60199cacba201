"""filter=easy: pictures that a classifier of the photos is sure of already are rejected."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from annotated_types import Gt, Le
from pydantic import PositiveFloat

from imprint.evaluation.linear_probe import fit_probe
from imprint.evaluation.metrics.base import normalised
from imprint.evaluation.records import Needs
from imprint.filters.base import Candidate, Context, Filter, Known, Verdict, Verdicts
from imprint.kinds import of_kind


@of_kind("filter/easy")
class Easy(Filter):
    """A linear classifier of the photos to train on, on an encoder's features, and its probability of the right answer.

    encoder   a role among the encoders
    of        what it tells apart: subject or class
    most      the highest probability that passes
    decay     how much the classifier's weights are held back
    """

    def __init__(
        self,
        *,
        encoder: str,
        of: Literal["subject", "class"],
        most: Annotated[float, Gt(0), Le(1)],
        decay: PositiveFloat,
    ) -> None:
        self.encoder = encoder
        self.of = of
        self.most = most
        self.decay = decay

    @property
    def needs(self) -> Needs:
        return Needs(sets=(), untuned=(), encoders=(self.encoder,), photos=1)

    def problems(self, context: Context) -> Iterator[str]:
        there = {self._label(known) for known in context.photos}
        if len(there) < 2:
            yield (
                f"of={self.of}: there is nothing to tell apart, for of photos there are only those of "
                f"{', '.join(there) or 'nobody'}. Draw several together, or leave the filter out."
            )

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        photos = context.photos
        features = context.features.images(self.encoder, [known.photo for known in photos])
        probe = fit_probe(normalised(features, "filter.easy"), [self._label(each) for each in photos], decay=self.decay)
        pictures_ND = normalised(context.features.images(self.encoder, candidates), "filter.easy")
        sure_NK = probe.probabilities(pictures_ND).tolist()
        return [
            self._verdict(dict(zip(probe.classes, sure, strict=True)), one)
            for sure, one in zip(sure_NK, candidates, strict=True)
        ]

    def _verdict(self, sure: Mapping[str, float], candidate: Candidate) -> Verdict:
        value = sure.get(candidate.row.subject if self.of == "subject" else candidate.row.noun, 0.0)
        passed = value <= self.most
        reason = "" if passed else f"known already (probability {value:.3f}, and {self.most} is the most)"
        return Verdict(value, self.most, passed, reason)

    def _label(self, known: Known) -> str:
        return known.subject if self.of == "subject" else known.noun
