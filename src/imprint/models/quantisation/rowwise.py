"""What int8 and float8 share: a number of eight bits for each weight, and a scale for each row (output channel).

With a scale for each row, no row's range is widened by that of another. torch has these types itself, so no library is
needed. int8 is that of bitsandbytes to the bit, and float8 as near as that of torchao.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from imprint.models.quantisation.base import Quantisation, as_bytes

SMALLEST = torch.finfo(torch.float32).tiny  # of scales: a row may be all zeros


class RowwiseQuantisation(Quantisation):
    type: ClassVar[torch.dtype]
    largest: ClassVar[float]  # what the largest weight of a row becomes

    def sizes(self, rows: int, columns: int) -> Mapping[str, int]:
        return {"codes": rows * columns, "scales": 4 * rows}

    def pack(self, weight_OI: Tensor) -> dict[str, Tensor]:
        scales_O1 = (weight_OI.abs().amax(dim=1, keepdim=True) / self.largest).clamp(min=SMALLEST)
        return {"codes": as_bytes(self._rounded(weight_OI / scales_O1)), "scales": as_bytes(scales_O1)}

    def unpack(self, packed: Mapping[str, Tensor], rows: int, columns: int, dtype: torch.dtype) -> Tensor:
        codes_OI = packed["codes"].view(self.type).view(rows, columns)
        return (codes_OI.float() * packed["scales"].view(torch.float32)[:, None]).to(dtype)

    @abstractmethod
    def _rounded(self, scaled_OI: Tensor) -> Tensor:
        """To the nearest value of the type."""
