"""Pipelines of zeros are read like others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline

Module = Callable[[str], Any]


@pytest.mark.parametrize("size", ["sdxl_tiny", "flux_tiny", "z_image_tiny"])
def test_a_hollow_pipeline_is_read(size: str, tmp_path: Path, module: Module) -> None:
    with torch.device("meta"):
        pipeline = module("layouts").LAYOUTS[size].pipeline()
    module("hollow").write_hollow(pipeline, tmp_path / "model", torch.bfloat16)
    read = DiffusionPipeline.from_pretrained(tmp_path / "model", torch_dtype=torch.bfloat16)
    for name, part in pipeline.components.items():
        if isinstance(part, torch.nn.Module):
            shapes = {key: value.shape for key, value in part.state_dict().items()}
            there = read.components[name].state_dict()
            assert {key: value.shape for key, value in there.items()} == shapes
            assert not any(value.any() for value in there.values())
