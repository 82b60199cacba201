"""synthesis=copies: the photos themselves, as many times as there are pictures to be: a floor. What helps no more than
these is only more of the same."""

from PIL import Image

from imprint.kinds import of_kind
from imprint.labelled.row import Quality
from imprint.synthesis.base import Asked, Synthesis, Weights
from imprint.synthesis.prompts import PromptList
from imprint.synthesis.taught import Taught


@of_kind("synthesis/copies")
class Copies(Synthesis):
    name = "copies"

    def __init__(self) -> None:
        self.prompts = PromptList(prompts=["{noun}"])

    @property
    def weights(self) -> Weights:
        return "none"

    @property
    def uses_photos(self) -> bool:
        return True

    def finished(self, asked: Asked, drawn: Image.Image | None) -> Image.Image:
        assert asked.photo is not None
        return asked.seen.photo(asked.photo)

    def mask(self, asked: Asked) -> tuple[Image.Image, Quality] | None:
        assert asked.photo is not None
        mask = asked.seen.mask(asked.photo)
        return None if mask is None else (mask, "estimated")

    def _filled(self, template: str, place: str, subject: Taught) -> str:
        return ""
