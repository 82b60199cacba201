"""DreamBooth (arXiv 2208.12242): the network itself learns the subject."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import PositiveFloat

from imprint.errors import Problem
from imprint.families.base import Facts, Family
from imprint.methods.base import Method
from imprint.methods.settings import role_faults, template_faults, unknown_roles
from imprint.types import ALWAYS, Concept, ParamGroup


class DreamBooth(Method):
    """Fine-tunes the denoiser, and the text encoder if `roles` names it. The result is a whole pipeline."""

    def __init__(self, *, roles: list[str], lr: PositiveFloat, text_lr: PositiveFloat, templates: list[str]) -> None:
        if faults := [*role_faults(roles), *template_faults(templates)]:
            raise ValueError("\n".join(faults))
        self.roles = roles
        self.rates = {"text": text_lr}
        self.lr = lr
        self._templates = templates

    def problems(self, facts: Facts, concept: Concept) -> Iterator[Problem]:
        return unknown_roles(self.roles, facts)

    def attach(self, family: Family, concept: Concept) -> list[ParamGroup]:
        return [self._group(family, role) for role in self.roles]

    def templates(self, concept: Concept) -> Sequence[str]:
        return [concept.fill(template) for template in self._templates]

    def usage(self, concept: Concept) -> str:
        return (
            "from diffusers import DiffusionPipeline\n\n"
            "pipeline = DiffusionPipeline.from_pretrained(folder)\n"
            f'pipeline({concept.fill(self._templates[0])!r}).images[0].save("out.png")'
        )

    def save(self, family: Family, folder: Path) -> None:
        family.save_pipeline(folder)

    def load(self, family: Family, folder: Path, *, scale: Mapping[str, float]) -> None:
        family.load_parts(folder, self.roles)

    def _group(self, family: Family, role: str) -> ParamGroup:
        parameters = list(family.roles[role].requires_grad_(True).parameters())
        return ParamGroup(role, parameters, self.rates.get(role, self.lr), ALWAYS)
