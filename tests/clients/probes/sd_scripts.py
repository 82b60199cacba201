"""kohya's sd-scripts: its LoRA network, merged into the library's networks as its own tools do.

Its network of Stable Diffusion XL has fixed widths, so that thin models cannot be tried.
"""

import os
import sys
from typing import Any

import torch
from common import Case, Found, run

sys.path.insert(0, os.environ["CLIENT"])
from folders import merged
from networks import lora


def merge(unet: Any, text_encoder: Any, stored: dict[str, torch.Tensor]) -> int:
    network, tensors = lora.create_network_from_weights(
        1.0, None, None, text_encoder, unet, weights_sd=dict(stored), for_inference=True
    )
    network.merge_to(text_encoder, unet, tensors, torch.float32, "cpu")
    names = {own.lora_name for own in [*network.unet_loras, *network.text_encoder_loras]}
    return sum(name.partition(".")[0] in names for name in stored)


def examine(case: Case) -> Found | None:
    """LoHa and LoKr are not for this program, which has them from LyCORIS."""
    if case["format"] not in ("kohya", "lora") or case["method"].startswith(("LoHa", "LoKr")):
        return None
    return None if case["family"] == "sdxl" else merged(case, merge)


run(examine)
