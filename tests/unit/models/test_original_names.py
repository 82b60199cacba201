"""What original programs call a transformer's weights: as the stock library reads their files."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
import torch
from diffusers import (
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    Krea2Transformer2DModel,
    SD3Transformer2DModel,
    ZImageTransformer2DModel,
)
from diffusers.loaders import single_file_utils
from torch import Tensor

from imprint.models.checkpoint.original_flux import CHROMA, FLUX_1, FLUX_2
from imprint.models.checkpoint.original_krea2 import KREA_2
from imprint.models.checkpoint.original_names import OriginalNames, join, split
from imprint.models.checkpoint.original_sd3 import SD_3
from imprint.models.checkpoint.original_z_image import Z_IMAGE


class Family(NamedTuple):
    """`converter` is the library's, `layers` are how many of each kind of the published network's there are here."""

    names: OriginalNames
    network: Any
    layers: Mapping[str, Any]
    converter: str

    @property
    def convert(self) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
        converter: Callable[[dict[str, Tensor]], dict[str, Tensor]] = getattr(
            single_file_utils, f"convert_{self.converter}_checkpoint_to_diffusers"
        )
        return converter


BLOCKS = {"num_layers": 2, "num_single_layers": 2}
FAMILIES = {
    "FLUX.1": Family(FLUX_1, FluxTransformer2DModel, {**BLOCKS, "guidance_embeds": True}, "flux_transformer"),
    "Chroma": Family(CHROMA, ChromaTransformer2DModel, BLOCKS, "chroma_transformer"),
    "FLUX.2": Family(FLUX_2, Flux2Transformer2DModel, BLOCKS, "flux2_transformer"),
    "Stable Diffusion 3.5": Family(
        SD_3,
        SD3Transformer2DModel,
        {"num_layers": 2, "qk_norm": "rms_norm", "dual_attention_layers": (0,)},
        "sd3_transformer",
    ),
    "Krea 2": Family(KREA_2, Krea2Transformer2DModel, {"num_layers": 2}, "krea2_transformer"),
    "Z-Image": Family(Z_IMAGE, ZImageTransformer2DModel, {"n_layers": 2, "n_refiner_layers": 1}, "z_image_transformer"),
}
PUBLISHED = {  # some names of the published files
    "FLUX.1": [
        "double_blocks.1.img_attn.qkv.weight",
        "double_blocks.0.txt_attn.norm.key_norm.scale",
        "double_blocks.0.img_mod.lin.bias",
        "double_blocks.1.txt_mlp.2.weight",
        "single_blocks.1.linear1.weight",
        "single_blocks.0.modulation.lin.weight",
        "final_layer.adaLN_modulation.1.bias",
        "guidance_in.out_layer.weight",
    ],
    "Chroma": ["distilled_guidance_layer.layers.4.in_layer.weight", "distilled_guidance_layer.norms.0.scale"],
    "FLUX.2": ["double_stream_modulation_img.lin.weight", "single_blocks.1.linear2.weight", "img_in.weight"],
    "Stable Diffusion 3.5": [
        "pos_embed",
        "joint_blocks.0.x_block.attn2.qkv.weight",
        "joint_blocks.1.context_block.attn.ln_k.weight",
        "joint_blocks.1.context_block.adaLN_modulation.1.weight",
        "y_embedder.mlp.2.bias",
    ],
    "Krea 2": ["blocks.1.attn.wq.weight", "blocks.0.mod.lin", "txtfusion.refiner_blocks.0.mlp.down.weight"],
    "Z-Image": ["layers.1.attention.qkv.weight", "noise_refiner.0.attention.q_norm.weight", "x_embedder.weight"],
}


def thin(family: Family) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """Random weights with the rows of the published network and a single column, and its configuration."""
    with torch.device("meta"):
        network = family.network(**family.layers)
    rows = {name: len(weight) for name, weight in network.state_dict().items()}
    return {name: torch.randn(height, 1) for name, height in rows.items()}, network.config


def original(family: Family, ours: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    return {
        own.name: join([ours[part] for part in own.parts], swapped=own.swapped, flat=own.flat)
        for own in family.names.file(list(ours), config)
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_the_library_reads_the_original_names_as_the_same_weights(name: str) -> None:
    family = FAMILIES[name]
    ours, config = thin(family)
    theirs = original(family, ours, config)
    assert set(PUBLISHED[name]) <= theirs.keys()
    read = family.convert(dict(theirs))
    assert read.keys() == ours.keys()
    for own, weight in ours.items():
        assert torch.equal(read[own], weight), own


@pytest.mark.parametrize("name", FAMILIES)
def test_they_come_back(name: str) -> None:
    family = FAMILIES[name]
    ours, config = thin(family)
    theirs = original(family, ours, config)
    back: dict[str, Tensor] = {}
    for own in family.names.file(list(ours), config):
        whole = theirs[own.name].reshape(-1, 1) if own.flat else theirs[own.name]
        rows = split(whole, [len(ours[part]) for part in own.parts], swapped=own.swapped)
        back |= dict(zip(own.parts, rows, strict=True))
    assert back.keys() == ours.keys()
    assert all(torch.equal(back[own], weight) for own, weight in ours.items())


def test_some_names_are_of_layers_that_the_original_joins() -> None:
    config = {"num_layers": 2}
    joined = FLUX_1.layer("single_transformer_blocks.7.proj_mlp", config)
    assert joined.name == "single_blocks.7.linear1"
    assert [part.rpartition(".")[2] for part in joined.parts] == ["to_q", "to_k", "to_v", "proj_mlp"]
    assert not joined.is_plain
    assert FLUX_1.layer("transformer_blocks.0.attn.to_out.0", config).is_plain
    # the text in the last block only is normed as what leaves the network: scale and shift stand the other way round
    assert SD_3.layer("transformer_blocks.1.norm1_context.linear", config).swapped
    assert not SD_3.layer("transformer_blocks.0.norm1_context.linear", config).swapped
