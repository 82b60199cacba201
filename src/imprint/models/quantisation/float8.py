"""Floating point of eight bits, three of them after the point (E4M3, arXiv 2209.05433), with a scale for each row."""

import torch
from torch import Tensor

from imprint.kinds import of_kind
from imprint.models.quantisation.rowwise import RowwiseQuantisation


@of_kind("quantisation/float8")
class Float8(RowwiseQuantisation):
    type = torch.float8_e4m3fn
    largest = torch.finfo(torch.float8_e4m3fn).max
    not_on = frozenset({"mps"})

    def _rounded(self, scaled_OI: Tensor) -> Tensor:
        return scaled_OI.to(self.type)
