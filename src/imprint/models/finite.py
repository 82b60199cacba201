"""Whether weights are numbers: after a step that was too large, or of a damaged file, they may not be."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from imprint.file_contents import refuse


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The first that has a value which is no number, or infinite."""
    return next((name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())), None)


def check_finite(tensors: Mapping[str, Tensor], file: Path, part: str = "") -> None:
    """Before they are written to `file`. Raises UserError where their precision cannot hold them."""
    if spoilt := not_finite(tensors):
        what = f"{part} {spoilt}".strip()
        reason = f"{what} would hold values that are no numbers, or infinite, and nothing was written"
        refuse(file, reason, "Where dtype=float16 was given, give dtype=float32.")
