"""Four-bit numbers of bitsandbytes. Tested with bitsandbytes 0.50.2.

Its layers quantise when they are moved to a device and compute in ways of their own; here only its two conversions are
used, on any device. The library's own records of a quantised tensor are made for each call and not kept. Imported where
a weight is quantised, and not before: it is an extra.
"""

from collections.abc import Mapping
from functools import cache

import torch
from bitsandbytes import functional
from torch import Tensor


def quantised(weight: Tensor, *, block: int) -> dict[str, Tensor]:
    """NF4 with scales that are quantised, too, of a flat weight of whole blocks: `codes`, `scales` of the blocks, the
    `coarse` scales of these, and their `mean`."""
    codes, state = functional.quantize_4bit(weight, blocksize=block, compress_statistics=True, quant_type="nf4")
    return {"codes": codes, "scales": state.absmax, "coarse": state.state2.absmax, "mean": state.offset.reshape(1)}


def dequantised(tensors: Mapping[str, Tensor], *, block: int, group: int, dtype: torch.dtype) -> Tensor:
    """The flat weight again. A block is a row for the library: its kernel for the CPU counts blocks by rows, and is
    wrong where rows are no whole blocks."""
    device = tensors["codes"].device
    blocks = len(tensors["scales"])
    nested = functional.QuantState(
        absmax=tensors["coarse"], code=_levels_of_scales(device), blocksize=group, dtype=torch.float32
    )
    state = functional.QuantState(
        absmax=tensors["scales"],
        shape=torch.Size((blocks, block)),
        code=_levels(device),
        blocksize=block,
        quant_type="nf4",
        dtype=dtype,
        offset=tensors["mean"].view(()),
        state2=nested,
    )
    weight: Tensor = functional.dequantize_4bit(tensors["codes"].view(-1, 1), state)
    return weight.flatten()


@cache
def _levels(device: torch.device) -> Tensor:
    levels: Tensor = functional.get_4bit_type("nf4", device=device)
    return levels


@cache
def _levels_of_scales(device: torch.device) -> Tensor:
    levels: Tensor = functional.create_dynamic_map().to(device)
    return levels
