"""What LoRA, LoHa and LoKr share: small matrices that learn beside the layers of a frozen network."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import torch
from annotated_types import Ge, Lt
from pydantic import PositiveFloat
from torch import Tensor, nn

from imprint.errors import Problem, UserError
from imprint.file_contents import refuse
from imprint.libraries.peft import adapters_in_float32
from imprint.manifest import REMEDY
from imprint.methods.adapter_layers import NAME, layers, merged_formats, set_strength, weights
from imprint.methods.base import Added, Method, strengths_without_use
from imprint.methods.kohya import AdapterOf, adapters_of, write_comfyui, write_kohya
from imprint.methods.settings import Kind, PartSettings, Rank, missing_layers, part_faults, role_faults, unknown_roles
from imprint.models.base import Format, Model, is_text, strength_of
from imprint.models.checkpoint.layout import AdapterNames
from imprint.models.facts import MetaModel, ModelInfo
from imprint.types import ALWAYS, Concept, ParamGroup

if TYPE_CHECKING:
    from peft import PeftConfig


class Size(NamedTuple):
    """What a part's adapters can hold, and how much they count: by alpha / rank."""

    rank: int
    alpha: float


@dataclass(kw_only=True)
class Adapters(Method):
    """Adapters on layers of the kinds `targets`, in every part that `roles` names, as far as it has such layers.

    `rank`, `alpha` and `lr` are those of the denoiser, `text_rank`, `text_alpha` and `text_lr` those of all text
    encoders. `by_role` gives a part others: with a rank alone, its adapters count as much as with the usual one.
    """

    former_defaults: ClassVar[Mapping[str, Any]] = {"by_role": None}

    roles: list[str]
    targets: Kind | list[Kind]
    rank: Rank
    alpha: PositiveFloat
    text_rank: Rank
    text_alpha: PositiveFloat
    dropout: Annotated[float, Ge(0), Lt(1)]
    lr: PositiveFloat
    text_lr: PositiveFloat
    by_role: Mapping[str, PartSettings] | None

    origin: Mapping[str, str] = field(init=False, default_factory=dict)  # what a loaded result was made from

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        yield from role_faults(self.roles)
        yield from part_faults(self.by_role or {}, self.roles)
        if not self.kinds:
            yield "targets=[]: no layer would learn. Name at least one kind, for instance [attention]."
        if len(set(self.kinds)) < len(self.kinds):
            yield f"targets={self.kinds}: name each kind once."

    @property
    def kinds(self) -> list[Kind]:
        return [self.targets] if isinstance(self.targets, str) else self.targets

    def problems(self, facts: ModelInfo, concepts: Sequence[Concept]) -> Iterator[Problem]:
        yield from unknown_roles(self.roles, facts)
        yield from missing_layers("targets", self.kinds, self.kinds, self.roles, facts)

    @property
    def largest_rank(self) -> int:
        return max(self._size_trained(role).rank for role in self.roles)

    def added_to(self, outline: MetaModel) -> Added:
        numbers = usable_rank = 0
        for role in self.roles:
            part = outline.roles[role].requires_grad_(False)
            with torch.device("meta"):
                numbers += sum(weight.numel() for weight in self._insert(outline, role))
            wrapped = [layer.get_base_layer().weight for layer in layers(part).values()]
            usable_rank = max([usable_rank, *(min(weight.shape[0], weight[0].numel()) for weight in wrapped)])
        return Added(numbers, usable_rank)

    def changed_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset(self.roles)

    def exact_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset()

    def tuned_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset()

    def attach(self, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        return [ParamGroup(role, self._learning(model, role), self._rate(role), ALWAYS) for role in self.roles]

    def scale_problems(self, scale: Mapping[str, float]) -> Iterator[Problem]:
        return strengths_without_use(scale, self.roles)

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        for role in self.roles:
            for parameter in self._insert(model, role):
                parameter.requires_grad_(False)
            self._fill(model, role, self._read(model, folder, role), folder)
            set_strength(model.roles[role], strength_of(scale, role))

    def formats(self, model: Model) -> Mapping[str, Format]:
        return merged_formats(model, self.roles)

    def size(self, role: str) -> Size:
        """That of the adapters as they are put into a model."""
        return self._size_trained(role)

    def _size_trained(self, role: str) -> Size:
        usual = Size(self.text_rank, self.text_alpha) if is_text(role) else Size(self.rank, self.alpha)
        own = self._of(role)
        rank = own.get("rank", usual.rank)
        return Size(rank, own.get("alpha", usual.alpha * rank / usual.rank))

    def _adapter_formats(
        self, model: Model, network: Mapping[str, str], adapter_of: AdapterOf, *, can_be_joined: bool
    ) -> Mapping[str, Format]:
        """The formats with adapters alone that hold these as they are: `kohya`, where kohya's scripts have names for
        this model's layers, and `comfyui`, where ComfyUI's names are others than the stock library's."""
        names: dict[str, AdapterNames] = {"kohya": "kohya"} if model.names.has_kohya else {}
        if (comfyui := model.names.comfyui) != "stock":
            names["comfyui"] = comfyui

        def write(own: AdapterNames, file: Path, dtype: torch.dtype) -> None:
            adapters = adapters_of(model, self.roles, adapter_of)
            if own == "kohya":
                write_kohya(file, dtype, adapters, model=model, origin={**self.origin, **network})
            else:
                write_comfyui(file, dtype, adapters, model=model, origin=self.origin)

        return {
            format: Format("lora.safetensors", partial(write, own))
            for format, own in names.items()
            if can_be_joined or not model.names.joins(own)
        }

    @abstractmethod
    def _config(self, role: str, targets: Sequence[str]) -> "PeftConfig":
        """peft's description of the adapters of `role`, on the layers whose names end in one of `targets`."""

    def _check_rank(self, role: str, tensors: Iterable[Tensor], file: Path) -> None:
        """Before a model is given adapters of this rank, which may be somebody else's, and larger than any memory."""
        rank = self._size_trained(role).rank
        if not any(rank in tensor.shape for tensor in tensors):
            reason = (
                f"these adapters were made for other layers than those of this model's {role}: none is of rank {rank}"
            )
            refuse(file, reason, REMEDY)

    @abstractmethod
    def _read(self, model: Model, folder: Path, role: str) -> dict[str, Tensor]:
        """What `save` wrote for `role`, by peft's names."""

    def _described(self, model: Model | MetaModel, role: str) -> "PeftConfig":
        kinds = model.adapter_targets[role]
        endings = [name for kind in self.kinds for name in kinds.get(kind, ())]
        return self._config(role, list(_layers_alone(model.roles[role], endings)))

    def _of(self, role: str) -> PartSettings:
        """What the part has of its own."""
        return (self.by_role or {}).get(role, {})

    def _rate(self, role: str) -> float:
        return self._of(role).get("lr", self.text_lr if is_text(role) else self.lr)

    def _learning(self, model: Model, role: str) -> list[nn.Parameter]:
        """Puts adapters that are to learn into a part."""
        return self._insert(model, role)

    def _weights(self, model: Model, role: str) -> dict[str, Tensor]:
        """What is saved of a part, by peft's names."""
        return weights(model.roles[role])

    def _insert(self, model: Model | MetaModel, role: str) -> list[nn.Parameter]:
        from peft import inject_adapter_in_model

        part = model.roles[role]
        assert not any(parameter.requires_grad for parameter in part.parameters()), "adapters go into a frozen part"
        with adapters_in_float32():
            inject_adapter_in_model(self._described(model, role), part, NAME)
        return [parameter for parameter in part.parameters() if parameter.requires_grad]

    def _fill(self, model: Model, role: str, tensors: dict[str, Tensor], folder: Path) -> None:
        from peft import set_peft_model_state_dict

        part = model.roles[role]
        if _shapes(tensors) != _shapes(weights(part)):
            raise UserError(f"{folder}: these adapters were made for other layers than those of this model's {role}.")
        set_peft_model_state_dict(part, tensors, adapter_name=NAME)


def _layers_alone(part: nn.Module, endings: Sequence[str]) -> Iterator[str]:
    """Names by which peft finds the layers that end in one of these. Where the name of a list of modules does so, too,
    which peft would refuse, they are the layers' whole names."""
    for ending in endings:
        found = {name: module for name, module in part.named_modules() if f".{name}".endswith(f".{ending}")}
        lists = [name for name, module in found.items() if isinstance(module, nn.ModuleList)]
        yield from (name for name in found if name not in lists) if lists else [ending]


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
