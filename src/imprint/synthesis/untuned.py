"""synthesis=untuned: the same prompts and noise, drawn by the model as it was before: a floor. What it draws is of the
class, and not the subject."""

from imprint.kinds import of_kind
from imprint.synthesis.base import Synthesis, Weights
from imprint.synthesis.prompts import Prompts
from imprint.synthesis.taught import Taught


@of_kind("synthesis/untuned")
class Untuned(Synthesis):
    name = "untuned"

    def __init__(self, *, prompts: Prompts) -> None:
        self.prompts = prompts

    @property
    def weights(self) -> Weights:
        return "untuned"

    def _filled(self, template: str, place: str, subject: Taught) -> str:
        """Without a word that means nothing to it."""
        return " ".join(subject.concept._replace(identifier="").fill(template).split())
