"""DIV (DreamBooth, section 4.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from imprint.evaluation.metrics.variety import Variety
from imprint.kinds import of_kind


@of_kind("metric/div")
class Div(Variety):
    """LPIPS between pictures of one prompt. The encoder's layers carry LPIPS' weights (encoders/lpips.py)."""

    title = "DIV (LPIPS)"
    better = "higher"

    def distance(self, depths: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        return torch.stack([(a_LD - b_LD).square().sum(dim=1).mean() for a_LD, b_LD in depths]).sum()
