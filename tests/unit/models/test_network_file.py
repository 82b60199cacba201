"""Transformers in one file, as they are shared: by original or the library's names, alone or with other parts."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_sd3
import torch
from drawing import ROUNDING, distance, draw
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny import tiny_file
from tiny_flux import tiny_flux_pipeline, tiny_flux_source
from tiny_sd3 import tiny_sd3_pipeline, tiny_sd3_source
from torch import Tensor

from imprint.errors import ModelNotFound, UserError
from imprint.models.checkpoint.original_layout import autoencoder
from imprint.types import Sampler

SAMPLER = Sampler("model", 2, 3.5, "")
LAYER = "double_blocks.0.img_attn.qkv"


@pytest.fixture(scope="module")
def original(tiny_flux: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """The denoiser alone, as its makers published it. Read only."""
    file = tmp_path_factory.mktemp("file") / "flux.safetensors"
    tiny_flux_source(tiny_flux).load().formats["single_file"].write(file, torch.float32)
    return load_file(file)


@pytest.fixture(scope="module")
def expected(tiny_flux: Path) -> list[Image.Image]:
    return draw(tiny_flux_source(tiny_flux).load(), SAMPLER)


def saved(tensors: dict[str, Tensor], folder: Path) -> Path:
    save_file(tensors, folder / "theirs.safetensors")
    return folder / "theirs.safetensors"


def source(tensors: dict[str, Tensor], folder: Path, base: Path, **settings: Any) -> Any:
    return tiny_flux_source(saved(tensors, folder), config=str(base), **settings)


def stored(folder: Path) -> dict[str, Tensor]:
    return {name: weight for file in folder.glob("*.safetensors") for name, weight in load_file(file).items()}


def without_weights(folder: Path, new: Path) -> Path:
    return shutil.copytree(folder, new, ignore=shutil.ignore_patterns("*.safetensors"))


def whole(original: dict[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """With all other parts, as ComfyUI's checkpoints are."""
    first_stage = autoencoder(tiny_flux_source(folder).load().parts["vae"])
    parts = {
        "model.diffusion_model.": original,
        "vae.": {name.removeprefix("first_stage_model."): weight for name, weight in first_stage.items()},
        "text_encoders.clip_l.transformer.": stored(folder / "text_encoder"),
        "text_encoders.t5xxl.transformer.": stored(folder / "text_encoder_2"),
    }
    tensors = {f"{prefix}{name}": weight for prefix, own in parts.items() for name, weight in own.items()}
    return {**tensors, "text_encoders.clip_l.logit_scale": torch.ones(())}


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model."])
@pytest.mark.parametrize("names", ["original", "library"])
def test_a_denoiser_alone_draws_with_the_other_parts_of_a_pipeline(
    prefix: str, names: str, original: dict[str, Tensor], expected: list[Image.Image], tiny_flux: Path, tmp_path: Path
) -> None:
    tensors = original if names == "original" else stored(tiny_flux / "transformer")
    renamed = {f"{prefix}{name}": weight for name, weight in tensors.items()}
    assert distance(draw(source(renamed, tmp_path, tiny_flux).load(), SAMPLER), expected) == 0


@pytest.mark.parametrize("scale", ["scale_weight", "weight_scale", "of each row", None])
def test_weights_of_eight_bits_are_read(
    scale: str | None, original: dict[str, Tensor], tiny_flux: Path, tmp_path: Path
) -> None:
    """With what they are multiplied by, in ComfyUI's two ways; the file's weights are then those numbers exactly."""
    weight = original[f"{LAYER}.weight"]
    factor = torch.full((len(weight), 1) if scale == "of each row" else (), 0.5) if scale else torch.ones(())
    coarse = {name: x.to(torch.float8_e4m3fn) for name, x in original.items() if x.ndim == 2}
    coarse[f"{LAYER}.weight"] = (weight / factor).to(torch.float8_e4m3fn)
    beside = {}
    if scale:
        own = "weight_scale" if scale == "of each row" else scale
        beside = {f"{LAYER}.{own}": factor, f"{LAYER}.input_scale": torch.ones(()), "scaled_fp8": torch.zeros(2)}
    model = source({**original, **coarse, **beside}, tmp_path, tiny_flux).load()
    rows = torch.cat([model.transformer.get_submodule(f"transformer_blocks.0.attn.to_{one}").weight for one in "qkv"])
    assert rows.dtype == torch.float32
    assert torch.equal(rows, coarse[f"{LAYER}.weight"].float() * factor)
    assert 0 < (rows - weight).abs().max() < 0.1 * weight.abs().max()


def test_every_file_that_is_used_counts(original: dict[str, Tensor], tiny_flux: Path, tmp_path: Path) -> None:
    usual = source(original, tmp_path, tiny_flux).facts().fingerprint
    changed = {**original, "img_in.bias": original["img_in.bias"] + 1}
    assert source(changed, tmp_path, tiny_flux).facts().fingerprint != usual
    other = tiny_flux_pipeline(tmp_path / "other", seed=1)
    assert source(original, tmp_path, other).facts().fingerprint != usual


REFUSED: dict[str, tuple[Callable[[dict[str, Tensor]], dict[str, Tensor]], str]] = {
    "adapters": (lambda own: {"lora_unet_img_in.lora_down.weight": own["img_in.weight"]}, "these are adapters"),
    "another family": (
        lambda own: {
            "distilled_guidance_layer.in_proj.bias": torch.ones(1),
            **{name: weight for name, weight in own.items() if "vector_in" not in name and "mod" not in name},
        },
        "this is a Chroma model. This family holds FLUX.1",
    ),
    "something else": (lambda own: {"embedding": own["img_in.bias"]}, "no weight of a FLUX.1 denoiser is in it"),
    "cut": (
        lambda own: {name: weight for name, weight in own.items() if name != f"{LAYER}.bias"},
        rf"1 weights are missing \({LAYER}.bias\)",
    ),
    "more": (
        lambda own: {**own, "double_blocks.7.img_attn.proj.bias": torch.ones(1)},
        r"1 weights belong to no layer \(double_blocks.7.img_attn.proj.bias\)",
    ),
    "other shapes": (
        lambda own: {**own, "img_in.weight": own["img_in.weight"][:, :-1].contiguous()},
        r"1 weights have other shapes \(img_in.weight \(32, 15\), here \(32, 16\)\)",
    ),
    "four bits": (
        lambda own: {**own, "img_in.weight": own["img_in.weight"].to(torch.uint8)},
        r"quantised in a way that is not read \(img_in.weight in U8\)",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_no_such_file_is_refused_before_weights_are_read(
    fault: str, original: dict[str, Tensor], tiny_flux: Path, tmp_path: Path
) -> None:
    change, reason = REFUSED[fault]
    with pytest.raises(UserError, match=reason):
        source(change(original), tmp_path, tiny_flux).facts()


@pytest.mark.parametrize(("name", "reason"), [("flux.gguf", "GGUF"), ("flux.ckpt", "neither a folder nor")])
def test_other_formats_are_refused(name: str, reason: str, tiny_flux: Path, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=reason):
        tiny_flux_source(tmp_path / name, config=str(tiny_flux)).facts()


def test_stable_diffusions_file_is_refused(tiny_sd: Path, tiny_flux: Path, tmp_path: Path) -> None:
    file = tiny_file(tmp_path / "sd.safetensors", tiny_sd)
    with pytest.raises(UserError, match=r"this is a Stable Diffusion 1\.x and 2\.x model\. This family holds FLUX\.1"):
        tiny_flux_source(file, config=str(tiny_flux)).facts()


def test_parts_that_are_nowhere_are_told_in_one_message(
    original: dict[str, Tensor], tiny_flux: Path, tmp_path: Path
) -> None:
    configs = without_weights(tiny_flux, tmp_path / "configs")
    with pytest.raises(UserError, match=r"holds no vae, text_encoder, text_encoder_2\. Set model\.config"):
        source(original, tmp_path, configs).facts()
    for dev in (True, False):
        tensors = {name: weight for name, weight in original.items() if dev or not name.startswith("guidance_in")}
        usual = f"black-forest-labs/FLUX.1-{'dev' if dev else 'schnell'}"
        with pytest.raises(ModelNotFound, match=f"holds no vae, text_encoder, text_encoder_2.*model.config='{usual}'"):
            tiny_flux_source(saved(tensors, tmp_path)).facts()


def test_a_text_encoder_that_lacks_weights_is_told(
    original: dict[str, Tensor], tiny_flux: Path, tmp_path: Path
) -> None:
    tensors = whole(original, tiny_flux)
    del tensors["text_encoders.clip_l.transformer.text_model.final_layer_norm.weight"]
    with pytest.raises(UserError, match="1 weights of text_encoder are missing"):
        source(tensors, tmp_path, tiny_flux).load()


def test_a_projection_that_changes_nothing_may_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of CLIP-L is in Stable Diffusion 3's files, where it is as wide as the encoder."""
    monkeypatch.setattr("tiny_sd3.SUMMARIES", (tiny_sd3.WIDTHS["clip_l"], 12))
    folder = tiny_sd3_pipeline(tmp_path / "model")
    model = tiny_sd3_source(folder).load()
    model.formats["single_file"].write(tmp_path / "denoiser.safetensors", torch.float32)
    clip = {name: weight for name, weight in stored(folder / "text_encoder").items() if "projection" not in name}
    prefixed = {f"text_encoders.clip_l.transformer.{name}": weight for name, weight in clip.items()}
    file = saved({**load_file(tmp_path / "denoiser.safetensors"), **prefixed}, tmp_path)
    read = tiny_sd3_source(file, config=str(folder)).load().text_encoder.text_projection.weight
    assert torch.equal(read, torch.eye(len(read)))


def test_a_changed_text_encoder_has_no_place_in_a_denoisers_file(tiny_flux: Path, tmp_path: Path) -> None:
    model = tiny_flux_source(tiny_flux).load()
    with torch.no_grad():
        next(model.roles["text"].parameters()).add_(1)
    with pytest.raises(UserError, match="text_encoder was trained, too. Choose format=pipeline"):
        model.formats["single_file"].write(tmp_path / "flux.safetensors", torch.float32)
    assert not list(tmp_path.iterdir())


def test_a_file_in_half_precision_draws_nearly_the_same(
    expected: list[Image.Image], tiny_flux: Path, tmp_path: Path
) -> None:
    file = tmp_path / "flux.safetensors"
    tiny_flux_source(tiny_flux).load().formats["single_file"].write(file, torch.float16)
    assert {weight.dtype for weight in load_file(file).values()} == {torch.float16}
    model = tiny_flux_source(file, config=str(tiny_flux)).load()
    assert distance(draw(model, SAMPLER), expected) <= 5 * ROUNDING
    pipeline = tmp_path / "pipeline"
    model.save_pipeline(pipeline)
    assert json.loads((pipeline / "model_index.json").read_text(encoding="utf-8"))["_class_name"] == "FluxPipeline"
    assert distance(draw(tiny_flux_source(pipeline).load(), SAMPLER), draw(model, SAMPLER)) == 0
