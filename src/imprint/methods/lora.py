"""LoRA (arXiv 2106.09685), DoRA (2402.09353) and rsLoRA (2312.03732)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Gt
from pydantic import BaseModel, PositiveInt, TypeAdapter
from torch import Tensor, nn

from imprint.errors import UserError
from imprint.file_contents import DAMAGED, Finite, refuse, typed
from imprint.kinds import of_kind
from imprint.libraries.peft import use_layers
from imprint.manifest import REMEDY
from imprint.methods.adapter_layers import NAME, add_metadata, weights, write_weights
from imprint.methods.adapters import Adapters
from imprint.methods.base import from_base
from imprint.methods.kohya import DOWN, UP, KohyaAdapter
from imprint.methods.model_spec import spec_of_model, spec_of_origin
from imprint.methods.stored_weights import read_weights
from imprint.models.base import Format, Model
from imprint.models.facts import ModelInfo
from imprint.types import Concept

if TYPE_CHECKING:
    from peft import LoraConfig

FILE = "pytorch_lora_weights.safetensors"
DESCRIPTION = "lora_adapter_metadata"  # where the library looks for alpha and its like
NETWORK = {"ss_network_module": "networks.lora"}
INITIALISATIONS: Mapping[str, Any] = {"gaussian": "gaussian", "kaiming": True}


@of_kind("method/lora")
@dataclass(kw_only=True)
class LoRA(Adapters):
    """A layer's update is the product of two thin matrices. The result is one file, which the stock library loads."""

    init: Literal["gaussian", "kaiming"]
    use_dora: bool
    use_rslora: bool

    def exact_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset(self.roles if self.use_dora else ())  # DoRA's magnitudes begin at those of the weights

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        return f"{from_base(facts)}\npipeline.load_lora_weights(folder)"

    def save(self, model: Model, folder: Path) -> None:
        """What the adapters count by is multiplied into them, and every alpha is its rank: so readers that pass over
        the description, as most other programs do, generate the same pictures."""
        tensors: dict[str, Tensor] = {}
        description: dict[str, Any] = {}
        for role in self.roles:
            own = _scaled(self._weights(model, role), self._scaling(role))
            tensors.update({model.names.stock(role, name): tensor for name, tensor in own.items()})
            part = model.names.part(role)
            description.update({f"{part}.{key}": value for key, value in self._essentials(model, role).items()})
        about = {DESCRIPTION: json.dumps(description, sort_keys=True), **spec_of_model(model, "lora")}
        write_weights(folder / FILE, tensors, about)

    def write_origin(self, folder: Path, origin: Mapping[str, str]) -> None:
        add_metadata(folder / FILE, {**origin, **spec_of_origin(origin)})

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        stored, about = read_weights(folder / FILE)
        for role in self.roles:
            self._check_rank(role, stored.values(), folder / FILE)
        super().load(model, folder, scale=scale)
        self.origin = {key: value for key, value in about.items() if key != DESCRIPTION}

    def formats(self, model: Model) -> Mapping[str, Format]:
        own = self._adapter_formats(model, NETWORK, _kohya_adapter, can_be_joined=True)
        return {**super().formats(model), **own}

    def _config(self, role: str, targets: Sequence[str]) -> "LoraConfig":
        from peft import LoraConfig

        from imprint.methods.low_rank_layer import LowRankLinear

        rank, alpha = self.size(role)
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=self.dropout,
            init_lora_weights=INITIALISATIONS[self.init],
            use_dora=self.use_dora,
            use_rslora=self.use_rslora,
            target_modules=list(targets),
        )
        use_layers(config, {nn.Linear: LowRankLinear})
        return config

    def _essentials(self, model: Model, role: str) -> dict[str, Any]:
        """What a reader must know. The rest would only be refused by versions of peft that do not know it yet."""
        rank = self._size_trained(role).rank
        return {
            "r": rank,
            "lora_alpha": float(rank),
            "use_dora": self.use_dora,
            "use_rslora": False,
            "lora_dropout": self.dropout,
            "target_modules": sorted(self._described(model, role).target_modules),
        }

    def _read(self, model: Model, folder: Path, role: str) -> dict[str, Tensor]:
        stored, about = read_weights(folder / FILE)
        names = {model.names.stock(role, name): name for name in weights(model.roles[role])}
        part = model.names.part(role)
        own = {names.get(key, key): tensor for key, tensor in stored.items() if key.startswith(f"{part}.")}
        return _scaled(own, _described_scaling(about, part, folder / FILE) / self._scaling(role))

    def _scaling(self, role: str) -> float:
        """What the product of the trained matrices counts by."""
        return _scaling(*self._size_trained(role), self.use_rslora)


class Described(BaseModel):
    """Of the adapters of one part, what a reader multiplies their products by."""

    r: PositiveInt
    lora_alpha: Annotated[Finite, Gt(0)]
    use_rslora: bool


DESCRIBED = TypeAdapter(Described)


def _scaling(rank: float, alpha: float, use_rslora: bool) -> float:
    return float(alpha / (rank**0.5 if use_rslora else rank))


def _described_scaling(about: Mapping[str, str], part: str, file: Path) -> float:
    """What a reader of the file multiplies the part's products by. Earlier versions left it to the reader."""
    try:
        description = json.loads(about.get(DESCRIPTION, "{}"))
    except (ValueError, RecursionError) as error:
        refuse(file, DAMAGED, REMEDY, error)
    if not isinstance(description, dict) or f"{part}.r" not in description:
        return 1.0
    own = {name: description.get(f"{part}.{name}") for name in Described.model_fields}
    known = typed(DESCRIBED, own, file, REMEDY)
    return _scaling(known.r, known.lora_alpha, known.use_rslora)


def _scaled(tensors: Mapping[str, Tensor], factor: float) -> dict[str, Tensor]:
    """With this factor in the second matrices. DoRA's magnitudes are of the sum, which stays what it was."""
    return {name: tensor * factor if ".lora_B." in name else tensor for name, tensor in tensors.items()}


def _kohya_adapter(layer: Any) -> KohyaAdapter:
    if layer.use_dora[NAME]:
        raise UserError(
            "format=kohya, format=comfyui: readers of such files disagree about DoRA, or pass over it. Use "
            "format=pipeline or format=single_file: both merge it."
        )
    tensors = {DOWN: layer.lora_A[NAME].weight, UP: layer.lora_B[NAME].weight}
    rank = layer.r[NAME]
    return KohyaAdapter(tensors, alpha=float(layer.scaling[NAME] * rank), rank=rank)
