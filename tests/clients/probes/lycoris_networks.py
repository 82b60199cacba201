"""LyCORIS: its own network, made from a file's tensors and merged into the library's networks."""

import os
import sys
from typing import Any

import torch
from common import Case, Found, run
from folders import merged

sys.path.insert(0, os.environ["CLIENT"])
from lycoris.kohya import LycorisNetworkKohya, create_network_from_weights


def merge(unet: Any, text_encoder: Any, stored: dict[str, torch.Tensor]) -> int:
    # by default it wants the time embedding twice and refuses to begin
    LycorisNetworkKohya.apply_preset({"enable_conv": True, "unet_target_module": ["Transformer2DModel"]})
    network, tensors = create_network_from_weights(1.0, None, None, text_encoder, unet, weights_sd=dict(stored))
    names = {own.lora_name for own in [*network.unet_loras, *network.text_encoder_loras]}
    network.merge_to(text_encoder, unet, tensors, torch.float32, "cpu")
    return sum(name.partition(".")[0] in names for name in stored)


def examine(case: Case) -> Found | None:
    if case["format"] != "kohya" or case["family"] == "sdxl":
        return None
    return merged(case, merge)


run(examine)
