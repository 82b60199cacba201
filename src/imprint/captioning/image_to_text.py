"""Models that were trained to say what is on a picture, of themselves or at a fixed word."""

from collections.abc import Sequence
from typing import Any

from PIL import Image
from pydantic import PositiveInt

from imprint.captioning.transformer import TransformersCaptioner
from imprint.kinds import of_kind


@of_kind("captioner/image_to_text")
class ImageToText(TransformersCaptioner):
    """`instruction` is the word that asks for a caption; null where the model knows nothing else."""

    _repeats_its_input = False

    def __init__(
        self, *, source: str, revision: str | None, instruction: str | None, max_tokens: PositiveInt, beams: PositiveInt
    ) -> None:
        super().__init__(source=source, revision=revision, max_tokens=max_tokens, beams=beams)
        self.instruction = instruction

    def _inputs(self, pictures: Sequence[Image.Image]) -> Any:
        texts = {} if self.instruction is None else {"text": [self.instruction] * len(pictures)}
        return self._processor(images=list(pictures), return_tensors="pt", **texts)
