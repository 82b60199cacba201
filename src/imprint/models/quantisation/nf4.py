"""NormalFloat of four bits (QLoRA, arXiv 2305.14314): 16 values that are as frequent as one another in normally
distributed weights, a scale for each block of 64, and the scales themselves in eight bits."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from imprint.kinds import of_kind
from imprint.models.quantisation.base import Quantisation, as_bytes

BLOCK = 64  # weights with a scale: QLoRA's, and the library's usual
ZEROS = 0x77  # two codes of zero
SCALES = 256  # of them with a scale of their own; the library has no other


@of_kind("quantisation/nf4")
class NormalFloat4(Quantisation):
    """The weights are blocks in the order of memory, whatever the rows: the last one is filled up with zeros."""

    package = "bitsandbytes"
    release = (0, 50)  # in 0.46 these conversions end the process on a CPU; those between were not tried

    def sizes(self, rows: int, columns: int) -> Mapping[str, int]:
        blocks = _blocks(rows * columns)
        return {"codes": blocks * BLOCK // 2, "scales": blocks, "coarse": 4 * -(-blocks // SCALES), "mean": 4}

    def pack(self, weight_OI: Tensor) -> dict[str, Tensor]:
        from imprint.libraries.bitsandbytes import quantised  # which an extra installs

        flat = weight_OI.flatten()
        filled = functional.pad(flat, (0, _blocks(len(flat)) * BLOCK - len(flat)))
        packed = quantised(filled, block=BLOCK)
        # The library divides a block by its largest number: of one of zeros come any codes, and a scale that is not 0.
        packed["codes"].view(-1, BLOCK // 2)[~filled.view(-1, BLOCK).any(dim=1)] = ZEROS
        return {name: as_bytes(tensor) for name, tensor in packed.items()}

    def unpack(self, packed: Mapping[str, Tensor], rows: int, columns: int, dtype: torch.dtype) -> Tensor:
        from imprint.libraries.bitsandbytes import dequantised

        scales = {name: packed[name].view(torch.float32) for name in ("coarse", "mean")}
        filled = dequantised({**packed, **scales}, block=BLOCK, group=SCALES, dtype=dtype)
        return filled[: rows * columns].view(rows, columns)


def _blocks(count: int) -> int:
    return -(-count // BLOCK)
