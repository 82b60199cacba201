"""LoHa (FedPara, arXiv 2108.06098) and LoKr (arXiv 2309.14859), the adapters of LyCORIS. peft itself reads them all: a
result is a folder a part, in peft's own format."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import PositiveInt
from torch import Tensor

from imprint.kinds import of_kind
from imprint.methods.adapter_layers import NAME, add_metadata, weights, write_weights
from imprint.methods.adapters import Adapters
from imprint.methods.base import from_base
from imprint.methods.kohya import KohyaAdapter
from imprint.methods.stored_weights import read_weights
from imprint.models.base import Format, Model
from imprint.models.facts import ModelInfo
from imprint.types import Concept

if TYPE_CHECKING:
    from peft import LoHaConfig, LoKrConfig

FILE = "adapter_model.safetensors"
PREFIX = "base_model.model."  # what peft's own models put before a name
HADAMARD = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
FIRST = ("lokr_w1", "lokr_w1_a", "lokr_w1_b")
SECOND = ("lokr_w2", "lokr_w2_a", "lokr_w2_b")


class PeftFolder(Adapters):
    """The stock library's `load_lora_weights` refuses these adapters of most families, so a result is used by merging
    it."""

    label: ClassVar[str]  # what people call such adapters
    readers: ClassVar[str]  # where the stock library reads them

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        return (
            "from pathlib import Path\n\n"
            "from peft import PeftModel\n"
            f"{from_base(facts)}\n"
            f"# peft merges it into the network: {self.readers}\n"
            'for file in Path(folder).glob("*/adapter_config.json"):\n'
            "    part = file.parent.name\n"
            "    tuned = PeftModel.from_pretrained(getattr(pipeline, part), file.parent).merge_and_unload()\n"
            "    setattr(pipeline, part, tuned)"
        )

    def save(self, model: Model, folder: Path) -> None:
        for role in self.roles:
            own = folder / model.names.part(role)
            self._described(model, role).save_pretrained(own)
            write_weights(own / FILE, {f"{PREFIX}{name}": x for name, x in weights(model.roles[role]).items()}, {})

    def write_origin(self, folder: Path, origin: Mapping[str, str]) -> None:
        for file in folder.glob(f"*/{FILE}"):
            add_metadata(file, origin)

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        super().load(model, folder, scale=scale)
        _, self.origin = read_weights(folder / model.names.part(self.roles[0]) / FILE)

    def formats(self, model: Model) -> Mapping[str, Format]:
        network = {"ss_network_module": "lycoris.kohya", "ss_network_args": f'{{"algo": "{self.label.lower()}"}}'}
        own = self._adapter_formats(model, network, self._kohya_adapter, can_be_joined=False)
        return {**super().formats(model), **own}

    @classmethod
    def _kohya_adapter(cls, layer: Any) -> KohyaAdapter:
        """What it counts by is multiplied into one of its tensors, and every alpha is its rank: some readers, LyCORIS'
        own merging among them, multiply by alpha / rank twice, and without a low-rank factor none does."""
        tensors = cls._kohya_tensors(layer)
        first = next(iter(tensors))
        rank = layer.r[NAME]
        return KohyaAdapter({**tensors, first: tensors[first] * layer.scaling[NAME]}, alpha=float(rank), rank=rank)

    @staticmethod
    @abstractmethod
    def _kohya_tensors(layer: Any) -> dict[str, Tensor]:
        """A layer's weights, whose product is its update, by the names that LyCORIS gives them."""

    def _read(self, model: Model, folder: Path, role: str) -> dict[str, Tensor]:
        stored, _ = read_weights(folder / model.names.part(role) / FILE)
        return {name.removeprefix(PREFIX): tensor for name, tensor in stored.items()}


@of_kind("method/loha")
class LoHa(PeftFolder):
    """A layer's update is the elementwise product of two low-rank matrices: of rank up to rank squared."""

    label = "LoHa"
    readers = "diffusers' load_lora_weights does not read LoHa."

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        for role in self.roles:
            file = folder / model.names.part(role) / FILE
            stored, _ = read_weights(file)
            self._check_rank(role, stored.values(), file)
        super().load(model, folder, scale=scale)

    def _config(self, role: str, targets: Sequence[str]) -> "LoHaConfig":
        from peft import LoHaConfig

        rank, alpha = self.size(role)
        return LoHaConfig(r=rank, alpha=alpha, rank_dropout=self.dropout, target_modules=list(targets))

    @staticmethod
    def _kohya_tensors(layer: Any) -> dict[str, Tensor]:
        return {name: getattr(layer, name)[NAME] for name in HADAMARD}


@of_kind("method/lokr")
@dataclass(kw_only=True)
class LoKr(PeftFolder):
    """A layer's update is a Kronecker product of a small matrix and one that may be of low rank."""

    label = "LoKr"
    readers = "diffusers' load_lora_weights does not read LoKr from peft's folders."

    factor: PositiveInt | Literal[-1]
    decompose_both: bool

    def _config(self, role: str, targets: Sequence[str]) -> "LoKrConfig":
        from peft import LoKrConfig

        rank, alpha = self.size(role)
        return LoKrConfig(
            r=rank,
            alpha=alpha,
            rank_dropout=self.dropout,
            decompose_both=self.decompose_both,
            decompose_factor=self.factor,
            target_modules=list(targets),
        )

    @staticmethod
    def _kohya_tensors(layer: Any) -> dict[str, Tensor]:
        return {name: getattr(layer, name)[NAME] for name in (*FIRST, *SECOND) if NAME in getattr(layer, name)}
