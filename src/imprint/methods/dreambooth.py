"""DreamBooth (arXiv 2208.12242): the network itself learns the subject."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import PositiveFloat

from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.methods.base import Method, pipeline_lines
from imprint.methods.settings import (
    RateSettings,
    Selection,
    kinds_of,
    missing_layers,
    part_faults,
    role_faults,
    selected,
    unknown_roles,
)
from imprint.models.base import Model, is_text
from imprint.models.facts import ModelInfo
from imprint.types import ALWAYS, Concept, ParamGroup


@of_kind("method/dreambooth")
@dataclass(kw_only=True)
class DreamBooth(Method):
    """Fine-tunes the parts that `roles` names. The result is a whole pipeline."""

    former_defaults: ClassVar[Mapping[str, Any]] = {"by_role": None}

    learns_in_bfloat16 = True

    roles: list[str]
    layers: Selection
    lr: PositiveFloat
    text_lr: PositiveFloat
    by_role: Mapping[str, RateSettings] | None

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        yield from role_faults(self.roles)
        yield from part_faults(self.by_role or {}, self.roles)
        if self.layers == []:
            yield "layers=[]: nothing would learn. Give all, bias_norm, or a kind of layer such as attention."

    def problems(self, facts: ModelInfo, concepts: Sequence[Concept]) -> Iterator[Problem]:
        yield from unknown_roles(self.roles, facts)
        if kinds := kinds_of(self.layers):
            yield from missing_layers("layers", self.layers, kinds, self.roles, facts)

    def changed_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset(self.roles)

    def exact_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset(self.roles)

    def tuned_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset(self.roles)

    def attach(self, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        return [self._group(model, role) for role in self.roles]

    @property
    def replaces_weights(self) -> bool:
        return True

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        return pipeline_lines("folder", facts)

    def save(self, model: Model, folder: Path) -> None:
        model.save_pipeline(folder)

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        model.load_parts(folder, self.roles)

    def _rate(self, role: str) -> float:
        return (self.by_role or {}).get(role, {}).get("lr", self.text_lr if is_text(role) else self.lr)

    def _group(self, model: Model, role: str) -> ParamGroup:
        parameters = list(selected(model, role, self.layers).values())
        for parameter in parameters:
            parameter.requires_grad_(True)
        return ParamGroup(role, parameters, self._rate(role), ALWAYS)
