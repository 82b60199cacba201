"""What two processes share, each holds half of."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel
from families import FAMILIES
from full_size import full_size_sd, full_size_sdxl
from torch import nn
from transformers import T5Config, T5EncoderModel
from two_processes import run_on_two

from imprint.models.sharding import blocks


@pytest.mark.slow
def test_each_process_holds_half_and_predicts_the_same(tiny_folder: Callable[[str], Path]) -> None:
    run_on_two(["-m", "sharded_models", *(str(tiny_folder(choice)) for choice in FAMILIES)], timeout=300)


FULL: dict[str, Callable[[], nn.Module]] = {
    "SD 1.5": lambda: full_size_sd(1)["unet"],
    "SDXL": lambda: full_size_sdxl()["unet"],
    "SDXL's larger text encoder": lambda: full_size_sdxl()["text_encoder_2"],
    "FLUX.1": lambda: _on_meta(FluxTransformer2DModel),
    "T5 XXL": lambda: _on_meta(_t5),
}


def _t5() -> nn.Module:
    return T5EncoderModel(
        T5Config(d_model=4096, d_ff=10240, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu")
    )


def _on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make()


@pytest.mark.parametrize("name", FULL)
def test_a_block_of_a_published_network_is_a_small_part_of_it(name: str) -> None:
    network = FULL[name]()
    whole = sum(weight.numel() for weight in network.parameters())
    seen: set[int] = set()
    largest = 0
    for block in blocks(network):
        own = {id(weight): weight.numel() for weight in network.get_submodule(block).parameters()}
        largest = max(largest, sum(size for weight, size in own.items() if weight not in seen))
        seen.update(own)
    outside = sum(weight.numel() for weight in network.parameters() if id(weight) not in seen)
    assert outside <= 0.05 * whole, "gathered for a whole pass"
    assert largest <= 0.1 * whole, "gathered at a time"
