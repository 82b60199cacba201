"""Whole numbers of eight bits, with a scale for each row (as LLM.int8(), arXiv 2208.07339, has them for weights)."""

import torch
from torch import Tensor

from imprint.kinds import of_kind
from imprint.models.quantisation.rowwise import RowwiseQuantisation


@of_kind("quantisation/int8")
class Int8(RowwiseQuantisation):
    type = torch.int8
    largest = 127.0

    def _rounded(self, scaled_OI: Tensor) -> Tensor:
        return scaled_OI.round().to(self.type)
