"""What LoRA and its kin share: small matrices that learn beside the layers of a frozen network."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn

from imprint.errors import Problem, UserError
from imprint.families.base import Facts, Family, Format
from imprint.methods.adapter_layers import NAME, merge, weights
from imprint.methods.base import Method, scale_key
from imprint.methods.kohya import LayerTensors, write_kohya
from imprint.methods.settings import role_faults, template_faults, unknown_roles
from imprint.types import ALWAYS, Concept, ParamGroup

if TYPE_CHECKING:
    from peft import PeftConfig

Kind = Literal["attention", "feed_forward", "convolutions"]


class Size(NamedTuple):
    """What a part's adapters can hold, and how much they count: by alpha / rank."""

    rank: int
    alpha: float


class Adapters(Method):
    """Adapters on layers of the kinds `targets`, in every part that `roles` names, as far as it has such layers.

    `size` and `lr` are those of all parts but the text encoder.
    """

    def __init__(
        self,
        *,
        roles: list[str],
        targets: Kind | list[Kind],
        size: Size,
        text_size: Size,
        dropout: float,
        lr: float,
        text_lr: float,
        templates: list[str],
    ) -> None:
        self.roles = roles
        self.targets: list[Kind] = [targets] if isinstance(targets, str) else targets
        self.dropout = dropout
        self.origin: Mapping[str, str] = {}  # what a loaded result was made from
        self._size = size
        self._sizes = {"text": text_size}
        self._lr = lr
        self._rates = {"text": text_lr}
        self._templates = templates
        faults = [*role_faults(roles), *template_faults(templates)]
        if not self.targets:
            faults.append("targets=[]: no layer would learn. Name at least one kind, for instance [attention].")
        if len(set(self.targets)) < len(self.targets):
            faults.append(f"targets={self.targets}: name each kind once.")
        if faults:
            raise ValueError("\n".join(faults))

    def problems(self, facts: Facts, concept: Concept) -> Iterator[Problem]:
        yield from unknown_roles(self.roles, facts)
        for role in self.roles:
            kinds = facts.adapter_kinds.get(role, ())
            if role in facts.roles and not set(self.targets) & set(kinds):
                yield Problem(
                    "targets", self.targets, f"{role} has none of these layers. It has {', '.join(kinds) or 'none'}."
                )

    def attach(self, family: Family, concept: Concept) -> list[ParamGroup]:
        return [
            ParamGroup(role, self._insert(family, role), self._rates.get(role, self._lr), ALWAYS) for role in self.roles
        ]

    def templates(self, concept: Concept) -> Sequence[str]:
        return [concept.fill(template) for template in self._templates]

    def scale_problems(self, scale: Mapping[str, float]) -> Iterator[Problem]:
        for role, strength in scale.items():
            if role not in self.roles and strength != 1.0:
                remedy = f"this run taught nothing to that part, only to {self.roles}. Leave it at 1."
                yield Problem(scale_key(role), strength, remedy)

    def load(self, family: Family, folder: Path, *, scale: Mapping[str, float]) -> None:
        """With a strength other than 1 the adapters are merged: between the untuned weights (0) and the tuned."""
        for role in self.roles:
            for parameter in self._insert(family, role):
                parameter.requires_grad_(False)
            self._fill(family, role, self._read(family, folder, role), folder)
            if scale.get(role, 1.0) != 1.0:
                merge(family.roles[role], scale[role])

    def formats(self, family: Family) -> Mapping[str, Format]:
        return {
            name: Format(format.name, partial(self._write_merged, family, format.write))
            for name, format in family.formats.items()
        }

    def size(self, role: str) -> Size:
        return self._sizes.get(role, self._size)

    def _kohya(self, family: Family, network: Mapping[str, str], tensors: LayerTensors) -> Format:
        origin = {**self.origin, **network}
        write = partial(write_kohya, family=family, roles=self.roles, origin=origin, tensors=tensors)
        return Format("lora.safetensors", write)

    @abstractmethod
    def _config(self, role: str, targets: Sequence[str]) -> "PeftConfig":
        """peft's description of the adapters of `role`, on the layers whose names end in one of `targets`."""

    @abstractmethod
    def _read(self, family: Family, folder: Path, role: str) -> dict[str, Tensor]:
        """What `save` wrote for `role`, by peft's names."""

    def _described(self, family: Family, role: str) -> "PeftConfig":
        kinds = family.adapter_targets[role]
        return self._config(role, [name for kind in self.targets for name in kinds.get(kind, ())])

    def _insert(self, family: Family, role: str) -> list[nn.Parameter]:
        from peft import inject_adapter_in_model

        part = family.roles[role]
        assert not any(parameter.requires_grad for parameter in part.parameters()), "adapters go into a frozen part"
        inject_adapter_in_model(self._described(family, role), part, NAME)
        return [parameter for parameter in part.parameters() if parameter.requires_grad]

    def _fill(self, family: Family, role: str, tensors: dict[str, Tensor], folder: Path) -> None:
        from peft import set_peft_model_state_dict

        part = family.roles[role]
        if _shapes(tensors) != _shapes(weights(part)):
            raise UserError(f"{folder}: these adapters were made for other layers than those of this model's {role}.")
        set_peft_model_state_dict(part, tensors, adapter_name=NAME)

    def _write_merged(
        self, family: Family, write: Callable[[Path, torch.dtype], None], path: Path, dtype: torch.dtype
    ) -> None:
        for role in self.roles:
            merge(family.roles[role], 1.0)
        write(path, dtype)


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
