"""Captions as something said to a language model, by the chat template of its tokenizer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Chat:
    """Puts a caption into a chat, as a `TokenizerPart` wants it (`wrapped`).

    `system` is the message before it; None: there is none. With `pieces`, messages are lists of pieces, as models take
    them that see pictures, too. `settings` are the template's own.
    """

    begins_answer: bool
    system: str | None = None
    pieces: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, tokenizer: Any, caption: str) -> str:
        said = [] if self.system is None else [("system", self.system)]
        said.append(("user", caption))
        messages = [{"role": role, "content": self._content(text)} for role, text in said]
        whole: str = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=self.begins_answer, **self.settings
        )
        return whole

    def _content(self, text: str) -> Any:
        return [{"type": "text", "text": text}] if self.pieces else text
