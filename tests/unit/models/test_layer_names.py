"""What files of adapters call the layers of real Stable Diffusion and Stable Diffusion XL."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from families import FAMILIES
from full_size import full_size_sd, full_size_sdxl
from torch import nn

from imprint.models.checkpoint.layer_names import LayerNames
from imprint.models.checkpoint.layout import Layout
from imprint.models.families.sd import LAYOUT as SD
from imprint.models.families.sdxl import LAYOUT as SDXL
from imprint.models.families.sdxl import TEXT_2
from imprint.models.roles import DENOISER, TEXT

Networks = Mapping[str, Mapping[str, Any]]  # by family and role

# What a published LoRA of each calls them, by kohya's scripts and by diffusers'.
SD_LAYERS = {
    (DENOISER, "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"): (
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    ),
    (DENOISER, "mid_block.attentions.0.proj_in"): (
        "lora_unet_mid_block_attentions_0_proj_in",
        "unet.mid_block.attentions.0.proj_in",
    ),
    (TEXT, "encoder.layers.11.mlp.fc1"): (
        "lora_te_text_model_encoder_layers_11_mlp_fc1",
        "text_encoder.text_model.encoder.layers.11.mlp.fc1",
    ),
}
SDXL_LAYERS = {
    (DENOISER, "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"): (
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
    ),
    (DENOISER, "down_blocks.2.attentions.1.transformer_blocks.9.ff.net.0.proj"): (
        "lora_unet_input_blocks_8_1_transformer_blocks_9_ff_net_0_proj",
        "unet.down_blocks.2.attentions.1.transformer_blocks.9.ff.net.0.proj",
    ),
    (DENOISER, "mid_block.attentions.0.transformer_blocks.3.attn2.to_out.0"): (
        "lora_unet_middle_block_1_transformer_blocks_3_attn2_to_out_0",
        "unet.mid_block.attentions.0.transformer_blocks.3.attn2.to_out.0",
    ),
    (DENOISER, "up_blocks.1.attentions.2.transformer_blocks.1.attn2.to_k"): (
        "lora_unet_output_blocks_5_1_transformer_blocks_1_attn2_to_k",
        "unet.up_blocks.1.attentions.2.transformer_blocks.1.attn2.to_k",
    ),
    (DENOISER, "down_blocks.0.resnets.1.conv1"): (
        "lora_unet_input_blocks_2_0_in_layers_2",
        "unet.down_blocks.0.resnets.1.conv1",
    ),
    (DENOISER, "up_blocks.0.upsamplers.0.conv"): (
        "lora_unet_output_blocks_2_2_conv",
        "unet.up_blocks.0.upsamplers.0.conv",
    ),
    (TEXT, "encoder.layers.0.self_attn.q_proj"): (
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
    ),
    (TEXT_2, "text_model.encoder.layers.31.self_attn.out_proj"): (
        "lora_te2_text_model_encoder_layers_31_self_attn_out_proj",
        "text_encoder_2.text_model.encoder.layers.31.self_attn.out_proj",
    ),
}
REAL = [("sd", role, layer, *theirs) for (role, layer), theirs in SD_LAYERS.items()]
REAL += [("sdxl", role, layer, *theirs) for (role, layer), theirs in SDXL_LAYERS.items()]


LAYOUTS: Mapping[str, Layout] = {"sd": SD, "sdxl": SDXL}
TRANSFORMERS = {choice: own.source(".").layout for choice, own in FAMILIES.items() if own.source(".").layout.network}


@pytest.fixture(scope="module")
def networks() -> Networks:
    parts = {"sd": full_size_sd(1), "sdxl": full_size_sdxl()}
    return {
        family: {role: parts[family][layout.part(role).name] for role in layout.roles}
        for family, layout in LAYOUTS.items()
    }


def names_of(family: str, networks: Networks) -> LayerNames:
    return LayerNames(layout=LAYOUTS[family], denoiser_config=networks[family][DENOISER].config)


def linear_layers(network: nn.Module) -> list[str]:
    return [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


@pytest.mark.parametrize(("family", "role", "layer", "kohya", "stock"), REAL)
def test_layers_are_called_as_in_published_files(
    family: str, role: str, layer: str, kohya: str, stock: str, networks: Networks
) -> None:
    bare = {name.removeprefix("text_model.") for name in linear_layers(networks[family][role])}
    assert layer.removeprefix("text_model.") in bare  # transformers has the prefix in some versions
    names = names_of(family, networks)
    assert names.kohya(role, layer) == kohya
    assert names.stock(role, layer) == stock
    assert {kohya, stock} <= set(names.all(role, layer, alone=False))


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_no_name_means_two_layers(family: str, networks: Networks) -> None:
    names = names_of(family, networks)
    owners: dict[str, tuple[str, str]] = {}
    for role, network in networks[family].items():
        for layer in linear_layers(network):
            for name in {names.kohya(role, layer), *names.all(role, layer, alone=False)}:
                assert owners.setdefault(name, (role, layer)) == (role, layer)


@pytest.mark.parametrize("choice", TRANSFORMERS)
def test_no_name_of_a_transformer_means_two_layers(choice: str) -> None:
    """Of the published network, unless the original program has them as one."""
    layout = TRANSFORMERS[choice]
    with torch.device("meta"):
        network = layout.denoiser.type()
    names = LayerNames(layout=layout, denoiser_config=network.config)
    owners: dict[str, tuple[str, ...]] = {}
    for layer in linear_layers(network):
        parts = [(name, (layer,)) for name in names.all(DENOISER, layer, alone=True)]
        parts += [(joined.name, joined.parts) for joined in names.all_joined(layer)]
        if names.has_kohya:
            parts.append((names.kohya(DENOISER, layer), names.in_kohya(DENOISER, layer).parts))
        parts.append((names.in_comfyui(layer).name, names.in_comfyui(layer).parts))
        for name, own in parts:
            assert owners.setdefault(name, own) == own
            assert layer in own


PUBLISHED = {  # names of layers, and what published files call them
    "flux": ("single_transformer_blocks.37.attn.to_v", "lora_unet_single_blocks_37_linear1"),
    "sd3": ("transformer_blocks.3.attn.add_q_proj", "lora_unet_joint_blocks_3_context_block_attn_qkv"),
    "chroma": ("transformer_blocks.18.ff_context.net.2", "lora_unet_double_blocks_18_txt_mlp_2"),
    "flux2": ("transformer_blocks.0.attn.to_k", "diffusion_model.double_blocks.0.img_attn.qkv"),
    "qwen_image": ("transformer_blocks.59.attn.to_q", "diffusion_model.transformer_blocks.59.attn.to_q"),
    "z_image": ("layers.29.attention.to_out.0", "diffusion_model.layers.29.attention.to_out.0"),
    "krea2": ("transformer_blocks.27.attn.to_out.0", "diffusion_model.blocks.27.attn.wo"),
}


@pytest.mark.parametrize("choice", PUBLISHED)
def test_layers_of_transformers_are_called_as_in_published_files(choice: str) -> None:
    layer, expected = PUBLISHED[choice]
    names = LayerNames(layout=TRANSFORMERS[choice], denoiser_config={"num_layers": 24})
    assert expected in (names.kohya(DENOISER, layer) if names.has_kohya else "", names.in_comfyui(layer).name)


def test_stable_diffusions_layers_are_found_by_their_original_names(
    networks: Networks,
) -> None:
    """Some programs count its blocks as the original does, its one text encoder, or name all it trains otherwise."""
    names = names_of("sd", networks)
    layer = "down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_v"
    assert "lora_unet_input_blocks_5_1_transformer_blocks_0_attn2_to_v" in names.all(DENOISER, layer, alone=False)
    text = set(names.all(TEXT, "encoder.layers.3.mlp.fc2", alone=False))
    assert "lora_te1_text_model_encoder_layers_3_mlp_fc2" in text
    assert "lycoris_te_text_model_encoder_layers_3_mlp_fc2" in text


def test_a_layer_may_be_named_without_its_part_where_that_is_asked(networks: Networks) -> None:
    names, layer = names_of("sd", networks), "mid_block.attentions.0.proj_in"
    alone = {layer, f"base_model.model.{layer}"}
    assert alone <= set(names.all(DENOISER, layer, alone=True))
    assert not alone & set(names.all(DENOISER, layer, alone=False))


def test_adapters_of_a_text_encoder_have_the_names_that_the_library_reads(
    networks: Networks,
) -> None:
    names = names_of("sdxl", networks)
    layer = "encoder.layers.0.self_attn.q_proj"
    assert names.stock(TEXT, f"{layer}.lora_A.weight") == (
        f"text_encoder.text_model.{layer}.lora_linear_layer.down.weight"
    )
    assert names.stock(DENOISER, "conv_in.lora_A.weight") == "unet.conv_in.lora_A.weight"
