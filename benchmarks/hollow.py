"""Pipelines whose weights are zeros that no disk holds: a file's length is set, and nothing written.

They take the memory of real ones, at once and without random numbers of many gigabytes. Where all is zero, products are
a little faster on a GPU, so no times should be taken with them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.int64: "I64"}


def write_hollow(pipeline: Any, folder: Path, dtype: torch.dtype) -> None:
    """`pipeline` may be on torch's device `meta`. The index comes last: where it is, all is."""
    for name, part in pipeline.components.items():
        if part is None:
            continue
        if not isinstance(part, nn.Module):
            part.save_pretrained(folder / name)
        elif hasattr(part, "save_config"):
            part.save_config(folder / name)
            write_zeros(folder / name / "diffusion_pytorch_model.safetensors", part.state_dict(), dtype)
        else:
            (folder / name).mkdir(parents=True, exist_ok=True)
            part.config.architectures = [type(part).__name__]
            part.config.save_pretrained(folder / name)
            write_zeros(folder / name / "model.safetensors", part.state_dict(), dtype)
    pipeline.save_config(folder)


def write_zeros(file: Path, like: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Safetensors: the length of a header, the header, then the numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in like.items():
        kind = dtype if tensor.is_floating_point() else tensor.dtype
        begin, end = end, end + tensor.numel() * kind.itemsize
        header[name] = {"dtype": NAMES[kind], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as written:
        written.write(len(text).to_bytes(8, "little") + text)
        written.truncate(8 + len(text) + end)
