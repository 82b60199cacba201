"""LoKr (LyCORIS, arXiv 2309.14859)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import PositiveInt
from torch import Tensor

from imprint.kinds import of_kind
from imprint.methods.adapter_layers import NAME
from imprint.methods.peft_folder import PeftFolder
from imprint.models.base import Format, Model

if TYPE_CHECKING:
    from peft import LoKrConfig

NETWORK = {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "lokr"}'}
FIRST = ("lokr_w1", "lokr_w1_a", "lokr_w1_b")
SECOND = ("lokr_w2", "lokr_w2_a", "lokr_w2_b")


@of_kind("method/lokr")
@dataclass(kw_only=True)
class LoKr(PeftFolder):
    """A layer's update is a Kronecker product of a small matrix and one that may be of low rank."""

    kind = "LoKr"

    factor: PositiveInt | Literal[-1]
    decompose_both: bool

    def formats(self, model: Model) -> Mapping[str, Format]:
        return {**super().formats(model), "kohya": self._kohya(model, NETWORK, _kohya_tensors)}

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


def _kohya_tensors(layer: Any) -> dict[str, Tensor]:
    tensors = {name: getattr(layer, name)[NAME] for name in (*FIRST, *SECOND) if NAME in getattr(layer, name)}
    if {FIRST[0], SECOND[0]} <= tensors.keys():
        # without a low-rank factor there is no rank in the file: its readers leave alpha aside
        tensors[FIRST[0]] = tensors[FIRST[0]] * layer.scaling[NAME]
    return tensors
