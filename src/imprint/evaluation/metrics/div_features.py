"""Diversity where LPIPS' weights are not at hand: the same idea over any encoder's layers, and not its numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from imprint.evaluation.metrics.variety import Variety
from imprint.kinds import of_kind


@of_kind("metric/div_features")
class DivFeatures(Variety):
    """1 - cosine of two pictures' features at the same place, averaged over places, then over depths."""

    title = "diversity (encoder layers, not LPIPS)"
    better = "higher"

    def distance(self, depths: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        return torch.stack([1 - functional.cosine_similarity(a_LD, b_LD, dim=1).mean() for a_LD, b_LD in depths]).mean()
