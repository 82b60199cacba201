"""A result that was trained elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.methods.adapter_layers import add_metadata, merged_formats
from imprint.methods.base import Method, strengths_without_use
from imprint.methods.lora_file import FILE, load_lora
from imprint.methods.usage import FROM_BASE
from imprint.methods.word_files import embedding_formats, load_words, loading_lines
from imprint.models.base import Format, Model, ModelInfo
from imprint.types import Concept, ParamGroup


@of_kind("method/adopted")
@dataclass(kw_only=True)
class Adopted(Method):
    """A LoRA on the parts `roles` and, with `word`, a learned word, by the stock library's names."""

    roles: list[str]
    word: bool

    origin: Mapping[str, str] = field(init=False, default_factory=dict)

    def problems(self, facts: ModelInfo, concepts: Sequence[Concept]) -> Iterator[Problem | str]:
        yield "method: what was trained elsewhere is not trained here. Use imprint adopt."

    def attach(self, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        raise AssertionError("it has problems with every model")

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        lines = [FROM_BASE]
        if self.roles:
            lines.append("pipeline.load_lora_weights(folder)")
        if self.word:
            lines.append(loading_lines(concepts, facts))
        return "\n".join(lines)

    def save(self, model: Model, folder: Path) -> None:
        raise AssertionError("it was saved when it was adopted")

    def sign(self, folder: Path, origin: Mapping[str, str]) -> None:
        for file in folder.glob("*.safetensors"):
            add_metadata(file, origin)

    def scale_problems(self, scale: Mapping[str, float]) -> Iterator[Problem]:
        return strengths_without_use(scale, self.roles)

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        if self.roles:
            self.origin = load_lora(model, folder / FILE, scale=scale)
        if self.word:
            self.origin = {**load_words(model, folder), **self.origin}

    def formats(self, model: Model) -> Mapping[str, Format]:
        return {**merged_formats(model, self.roles), **embedding_formats(model, self.origin)}
