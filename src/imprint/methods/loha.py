"""LoHa (FedPara, arXiv 2108.06098; LyCORIS)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from imprint.kinds import of_kind
from imprint.methods.adapter_layers import NAME
from imprint.methods.peft_folder import PeftFolder
from imprint.models.base import Format, Model

if TYPE_CHECKING:
    from peft import LoHaConfig

NETWORK = {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "loha"}'}
WEIGHTS = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")


@of_kind("method/loha")
class LoHa(PeftFolder):
    """A layer's update is the elementwise product of two low-rank matrices: of rank up to rank squared."""

    kind = "LoHa"

    def formats(self, model: Model) -> Mapping[str, Format]:
        return {**super().formats(model), "kohya": self._kohya(model, NETWORK, _kohya_tensors)}

    def _config(self, role: str, targets: Sequence[str]) -> "LoHaConfig":
        from peft import LoHaConfig

        rank, alpha = self.size(role)
        return LoHaConfig(r=rank, alpha=alpha, rank_dropout=self.dropout, target_modules=list(targets))


def _kohya_tensors(layer: Any) -> dict[str, Tensor]:
    return {name: getattr(layer, name)[NAME] for name in WEIGHTS}
