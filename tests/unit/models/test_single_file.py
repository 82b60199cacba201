"""One file in the original Stable Diffusion layout, read back by the library."""

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    infer_diffusers_model_type,
)
from drawing import ROUNDING, distance, disturb, draw, draw_stock
from full_size import full_size_sd
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import tiny_file, tiny_source

from imprint.errors import UserError
from imprint.models.families.sd import original_layout


@pytest.mark.parametrize("model", ["tiny_sd", "tiny_sd_v"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_single_file_makes_the_same_pictures(
    model: str, dtype: torch.dtype, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder, file = request.getfixturevalue(model), tmp_path / "model.safetensors"
    model = tiny_source(folder).load()
    for part in (model.unet, model.vae, model.text_encoder):
        disturb(part)
        part.to(dtype).to(torch.float32)  # what half precision loses is lost before
    model.formats["single_file"].write(file, dtype)
    with safe_open(file, framework="pt") as content:
        assert {content.get_tensor(name).dtype for name in content.keys()} == {dtype}  # noqa: SIM118
    pipeline = StableDiffusionPipeline.from_single_file(
        str(file), config=str(folder), local_files_only=True, safety_checker=None
    )
    assert distance(draw(model), draw_stock(pipeline)) <= ROUNDING


@pytest.mark.parametrize("generation", [1, 2])
def test_the_real_networks_have_every_weight_in_the_file(generation: int) -> None:
    parts = full_size_sd(generation)
    tensors = original_layout(parts)
    assert infer_diffusers_model_type(tensors) == f"v{generation}"
    unet = convert_ldm_unet_checkpoint(dict(tensors), dict(parts["unet"].config))
    vae = convert_ldm_vae_checkpoint(dict(tensors), dict(parts["vae"].config))
    for part, converted in ((parts["unet"], unet), (parts["vae"], vae)):
        expected = {name: weight.numel() for name, weight in part.state_dict().items()}
        assert {name: weight.numel() for name, weight in converted.items()} == expected


def test_the_names_are_those_of_the_original() -> None:
    names = original_layout(full_size_sd(1)).keys()
    for name in (
        "model.diffusion_model.input_blocks.3.0.op.weight",
        "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight",
        "model.diffusion_model.output_blocks.2.1.conv.weight",
        "model.diffusion_model.output_blocks.5.2.conv.weight",
        "model.diffusion_model.output_blocks.11.0.skip_connection.weight",
        "first_stage_model.encoder.down.0.downsample.conv.weight",
        "first_stage_model.decoder.up.3.block.0.conv1.weight",
        "first_stage_model.decoder.mid.attn_1.proj_out.weight",
        "first_stage_model.quant_conv.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.11.mlp.fc2.weight",
    ):
        assert name in names


def test_the_second_generation_has_the_text_encoder_of_openclip() -> None:
    tensors = original_layout(full_size_sd(2))
    prefix = "cond_stage_model.model"
    assert tensors[f"{prefix}.transformer.resblocks.22.attn.in_proj_weight"].shape == (3 * 1024, 1024)
    assert f"{prefix}.positional_embedding" in tensors
    assert not any("q_proj" in name or "text_model" in name for name in tensors)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_a_file_whose_text_encoder_has_no_prefix_is_the_same_model(suffix: str, tiny_sd: Path, tmp_path: Path) -> None:
    """As NovelAI's first model has it, and many that were merged from it."""
    stored = load_file(tiny_file(tmp_path / "usual.safetensors", tiny_sd))
    renamed = {name.replace(".transformer.text_model.", ".transformer."): weight for name, weight in stored.items()}
    assert renamed.keys() != stored.keys()
    file = tmp_path / f"theirs{suffix}"
    save_file(renamed, file) if suffix == ".safetensors" else torch.save({"state_dict": renamed}, file)
    model = tiny_source(file, config=str(tiny_sd), allow_pickle=True).load()
    assert distance(draw(model), draw(tiny_source(tiny_sd).load())) == 0
    del renamed["cond_stage_model.transformer.final_layer_norm.weight"]
    save_file(renamed, tmp_path / "cut.safetensors")
    with pytest.raises(UserError, match="1 weights are missing"):
        tiny_source(tmp_path / "cut.safetensors", config=str(tiny_sd)).load()


def test_a_name_that_other_programs_would_not_open(tiny_sd: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="safetensors"):
        tiny_source(tiny_sd).load().formats["single_file"].write(tmp_path / "model.ckpt", torch.float32)
