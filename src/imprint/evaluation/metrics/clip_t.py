"""CLIP-T (DreamBooth, section 4.2): whether a picture shows what its prompt says."""

from string import Formatter
from typing import Literal

from pydantic import PositiveFloat

from imprint.evaluation.metrics.base import Metric, normalised, per_picture, shots_of, unit_features
from imprint.evaluation.records import Evidence, Needs, Shot, Value
from imprint.kinds import of_kind
from imprint.types import Concept


@of_kind("metric/clip_t")
class ClipT(Metric):
    """Cosine of a picture and its text, times `scale`; `clamp` makes a negative one zero.

    `text` is, for the template "a {identifier} {noun} in the snow":
    class       "a dog in the snow"; where a template has no {noun}, the noun stands in the identifier's place
    strip       the identifier is left out, and nothing takes its place
    identifier  the prompt as the model saw it
    """

    title = "CLIP-T"
    better = "higher"

    def __init__(
        self, *, encoder: str, text: Literal["class", "strip", "identifier"], scale: PositiveFloat, clamp: bool
    ) -> None:
        self.encoder = encoder
        self.text = text
        self.scale = scale
        self.clamp = clamp
        self.bounds = (0.0 if clamp else -scale, scale)

    @property
    def needs(self) -> Needs:
        encoders = (self.encoder,)
        return Needs(sets=("subject",), untuned=(), encoders=encoders, photos=0, sides=("images", "texts"))

    def measure(self, evidence: Evidence) -> list[Value]:
        shots = shots_of(evidence, "subject", self.title)
        texts = [self._text(shot, evidence.concept) for shot in shots]
        texts_ND = normalised(evidence.features.texts(self.encoder, texts), f"{self.title} of {evidence.subject}")
        cosines_N = (unit_features(evidence, self.encoder, shots, self.title) * texts_ND).sum(dim=1)
        scores_N = self.scale * (cosines_N.clamp(min=0) if self.clamp else cosines_N)
        return per_picture(shots, scores_N)

    def _text(self, shot: Shot, concept: Concept) -> str:
        if self.text == "identifier":
            return shot.prompt
        template = shot.request.template
        has_noun = "noun" in {name for _, name, _, _ in Formatter().parse(template)}
        stand_in = concept.noun if self.text == "class" and not has_noun else ""
        return " ".join(template.format(identifier=stand_in, noun=concept.noun).split())
