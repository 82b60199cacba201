"""What denoisers are told, sample by sample: taken apart to be kept by caption, and put together again."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from imprint.types import Conditioning

MASK = "_mask"


def rows(conditioning: Conditioning, index: int) -> Conditioning:
    """One sample's, without what only fills up its texts to the length of a batch."""
    own = {name: value[index : index + 1] for name, value in conditioning.items()}
    for name in conditioning:
        if (mask := own.get(f"{name}{MASK}")) is not None:
            own[name], own[f"{name}{MASK}"] = own[name][:, mask[0]], mask[:, mask[0]]
    return own


def joined(parts: Sequence[Conditioning]) -> Conditioning:
    """Of several samples one after another. Texts are filled up to the longest, where their mask is false."""
    together: dict[str, Tensor] = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        if name.endswith(MASK) or f"{name}{MASK}" in parts[0]:
            longest = max(value.shape[1] for value in values)
            values = [_filled(value, longest) for value in values]
        together[name] = torch.cat(values)
    return together


def _filled(value: Tensor, length: int) -> Tensor:
    missing = length - value.shape[1]
    return functional.pad(value, (*(0, 0) * (value.ndim - 2), 0, missing)) if missing else value
