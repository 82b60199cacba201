"""Merging adapters into networks that the library loads from folders, and comparing them with folders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import Case, Found, relative_error
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextModel

UNET_FILE = "unet/diffusion_pytorch_model.safetensors"
TEXT_FILE = "model.safetensors"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Those of UNet and text encoders, by the names that they have in files."""
    found = {f"unet.{name}": x for name, x in load_file(folder / UNET_FILE).items()}
    for part in folder.glob("text_encoder*"):
        found |= {f"{part.name}.{name}": x for name, x in load_file(part / TEXT_FILE).items()}
    return found


def merged(case: Case, merge: Callable[[Any, Any, dict[str, torch.Tensor]], int]) -> Found:
    """`merge` puts a file's tensors into (UNet, text encoder) and says how many of them it used."""
    base = Path(case["base_folder"])
    unet = UNet2DConditionModel.from_pretrained(base / "unet")
    text_encoder = CLIPTextModel.from_pretrained(base / "text_encoder")
    stored = load_file(case["file"])
    used = merge(unet, text_encoder, stored)
    own = {f"unet.{name}": x for name, x in unet.state_dict().items()}
    own |= {f"text_encoder.{name}": x for name, x in text_encoder.state_dict().items()}
    expected = weights(Path(case["tuned_folder"]))
    theirs = {name: own[name] if name in own else own[name.replace(".text_model.", ".")] for name in expected}
    error = relative_error(expected, theirs, weights(base))
    return {"keys": len(stored), "used": used, "error": error}
