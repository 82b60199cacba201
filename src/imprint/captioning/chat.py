"""Models that are spoken to: a picture and a question, in the form that the model's own template gives them."""

from collections.abc import Sequence
from typing import Any

from PIL import Image
from pydantic import PositiveInt

from imprint.captioning.transformer import TransformersCaptioner
from imprint.kinds import of_kind


@of_kind("captioner/chat")
class Chat(TransformersCaptioner):
    """`instruction` is what the model is asked of each picture."""

    def __init__(
        self, *, source: str, revision: str | None, instruction: str, max_tokens: PositiveInt, beams: PositiveInt
    ) -> None:
        super().__init__(source=source, revision=revision, max_tokens=max_tokens, beams=beams)
        self.instruction = instruction

    def _inputs(self, pictures: Sequence[Image.Image]) -> Any:
        said = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": self.instruction}]}]
        text = self._processor.apply_chat_template(said, add_generation_prompt=True)
        self._processor.tokenizer.padding_side = "left"  # what is written follows all questions at once
        return self._processor(
            images=[[picture] for picture in pictures], text=[text] * len(pictures), padding=True, return_tensors="pt"
        )

    def _fault_of_processor(self) -> str | None:
        if getattr(self._processor, "chat_template", None):
            return None
        return "it has no template for questions (chat_template.jinja): take captioner=blip, with this source."
