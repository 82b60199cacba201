"""What cannot be used is refused before training, with its name and the remedy."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny_file, tiny_pipeline, tiny_source

from imprint.errors import ModelNotFound, UserError
from imprint.types import Sampler


@pytest.fixture
def folder(tiny_sd: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny_sd, tmp_path / "pipeline"))


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def refusal(source: Path | str, **settings: Any) -> str:
    """The message that a model is refused with."""
    with pytest.raises(UserError) as caught:
        tiny_source(source, **settings).facts()
    assert f"model.source={str(source)!r}" in str(caught.value)
    return str(caught.value)


def test_an_unreachable_hub_and_an_empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFound) as caught:
        tiny_source("someone/something", revision="v2", variant="fp16").facts()
    for told in ("someone/something", "v2", "fp16", str(tmp_path), "model.source=/path/to/model", "reached"):
        assert told in str(caught.value)


def test_a_half_downloaded_model(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "models--someone--something"
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    shutil.copytree(folder, repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert "no weights of unet" in refusal("someone/something")


@pytest.mark.parametrize("source", ["/nowhere/model", "./nothing", "~/nothing.safetensors", "nothing.ckpt"])
def test_a_path_where_nothing_is(source: str) -> None:
    assert "there is no file or folder" in refusal(source)


@pytest.mark.parametrize("source", ["a model", "a/b/c"])
def test_what_is_neither_path_nor_hub_id(source: str) -> None:
    assert "neither a path on this machine nor a hub id" in refusal(source)


def test_a_package_that_is_not_there() -> None:
    with pytest.raises(UserError, match="there is no package nonsense"):
        tiny_source("pkg://nonsense/weights").facts()


def test_a_folder_that_is_no_pipeline(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    assert "model_index.json" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("unet/config.json", "unet/config.json"),
        ("scheduler/scheduler_config.json", "scheduler/scheduler_config.json"),
        ("tokenizer", "tokenizer/"),
        ("vae/diffusion_pytorch_model.safetensors", "no weights of vae"),
    ],
)
def test_an_incomplete_pipeline(name: str, told: str, folder: Path) -> None:
    path = folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert told in refusal(folder)


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "\xff"])
def test_a_damaged_configuration(name: str, content: str, folder: Path) -> None:
    (folder / name).write_text(content, encoding="latin-1")
    assert str(folder / name) in refusal(folder)


def test_a_damaged_vocabulary(folder: Path) -> None:
    (folder / "tokenizer" / "vocab.json").write_text("{")
    assert "tokenizer" in refusal(folder)


def test_another_pipeline(folder: Path) -> None:
    edit(folder / "model_index.json", _class_name="StableDiffusionXLPipeline")
    assert "StableDiffusionXLPipeline" in refusal(folder)


def test_another_text_encoder(folder: Path) -> None:
    edit(folder / "model_index.json", text_encoder=["transformers", "T5EncoderModel"])
    assert "text_encoder is a T5EncoderModel" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("unet", {"in_channels": 9}, "inpainting"),
        ("unet", {"in_channels": 8}, "takes 8 channels"),
        ("unet", {"addition_embed_type": "text_time"}, "Stable Diffusion XL"),
        ("text_encoder", {"hidden_size": 12}, "expects 16 text features"),
    ],
)
def test_networks_of_another_kind(name: str, changes: dict[str, Any], told: str, folder: Path) -> None:
    edit(folder / name / "config.json", **changes)
    assert told in refusal(folder)


def test_a_prediction_that_is_not_known(folder: Path) -> None:
    edit(folder / "scheduler" / "scheduler_config.json", prediction_type="sample")
    assert "predicts 'sample'" in refusal(folder)


def test_pickles_are_refused_unless_allowed(tmp_path: Path) -> None:
    message = refusal(tiny_pipeline(tmp_path, pickled=True))
    assert "unet, vae, text_encoder" in message
    assert "model.allow_pickle=true" in message
    assert "run any program" in message


def test_a_pickled_file_is_refused_unless_allowed(tmp_path: Path, tiny_sd: Path) -> None:
    torch.save({}, tmp_path / "model.ckpt")
    assert "model.allow_pickle=true" in refusal(tmp_path / "model.ckpt", config=str(tiny_sd))


def test_an_allowed_pickle_still_runs_no_program(tmp_path: Path, tiny_sd: Path) -> None:
    victim = tmp_path / "victim"
    torch.save({"state_dict": Hostile(victim)}, tmp_path / "model.ckpt")
    message = refusal(tmp_path / "model.ckpt", config=str(tiny_sd), allow_pickle=True)
    assert "holds more than weights" in message
    assert not victim.exists()


class Hostile:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.victim,)


@pytest.mark.parametrize("keep", [0, 4, 100, 5000])
def test_truncated_weights_are_named_before_training(keep: int, folder: Path) -> None:
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    assert str(file) in refusal(folder)


def test_a_web_page_in_place_of_weights(tmp_path: Path) -> None:
    page = tmp_path / "model.safetensors"
    page.write_text("<!doctype html><title>404</title>" * 10)
    assert "no complete safetensors file" in refusal(page)


def test_missing_weights_are_named_when_loading(folder: Path) -> None:
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_in.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=re.escape("conv_in.weight")):
        tiny_source(folder).load()


def test_a_variant_that_does_not_exist(tmp_path: Path) -> None:
    folder = tiny_pipeline(tmp_path, variant="fp16", dtype=torch.float16)
    assert "fp16" in refusal(folder, variant="bf16")
    assert "model.variant to one of: fp16" in refusal(folder)


def test_the_full_weights_are_named_when_there_is_no_such_variant(tiny_sd: Path) -> None:
    assert "model.variant to one of: null" in refusal(tiny_sd, variant="fp16")


def test_a_single_file_needs_configurations(tiny_sd: Path, tmp_path: Path) -> None:
    file = tiny_file(tmp_path / "model.safetensors", tiny_sd)
    with pytest.raises(ModelNotFound, match=re.escape("model.config=/path/to/model")):
        tiny_source(file).facts()


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"lora_unet_down_blocks_0.lora_up.weight": torch.zeros(1)}, "LoRA"),
        ({"conditioner.embedders.0.weight": torch.zeros(1)}, "Stable Diffusion XL"),
        ({"model.diffusion_model.time_embed.0.weight": torch.zeros(1)}, "lacks the autoencoder"),
        ({"something": torch.zeros(1)}, "lacks the denoiser"),
        (
            {
                "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(8, 9, 3, 3),
                "first_stage_model.x": torch.zeros(1),
                "cond_stage_model.x": torch.zeros(1),
            },
            "inpainting",
        ),
    ],
)
def test_a_single_file_of_something_else(
    tensors: dict[str, torch.Tensor], told: str, tiny_sd: Path, tmp_path: Path
) -> None:
    save_file(tensors, tmp_path / "thing.safetensors")
    assert told in refusal(tmp_path / "thing.safetensors", config=str(tiny_sd))


def test_a_single_file_with_configurations_of_another_model(tiny_sd: Path, tiny_sd_v: Path, tmp_path: Path) -> None:
    file = tiny_file(tmp_path / "model.safetensors", tiny_sd)
    edit(Path(shutil.copytree(tiny_sd, tmp_path / "wide")) / "unet" / "config.json", block_out_channels=[8, 32])
    with pytest.raises(UserError, match=re.escape("model.config")):
        tiny_source(file, config=str(tmp_path / "wide")).load()


def test_a_resolution_that_the_model_cannot_draw(tiny_sd: Path) -> None:
    with pytest.raises(UserError, match=r"model\.resolution=30: this model needs a multiple of 8"):
        tiny_source(tiny_sd, resolution=30).facts()


def test_a_misspelt_scheduler_is_found_before_loading(tiny_sd: Path) -> None:
    with pytest.raises(UserError, match="did you mean DDIMScheduler"):
        tiny_source(tiny_sd, sampler=Sampler("DDIMSchedler", 4, 5.0, "")).facts()
