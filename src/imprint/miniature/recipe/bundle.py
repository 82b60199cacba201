"""Puts the trained networks together as a stock Stable Diffusion folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    StableDiffusionPipeline,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPTokenizer, ViTModel

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe import tokenizer, upscaler
from imprint.miniature.recipe.denoiser import Generator
from imprint.miniature.recipe.oracle import Oracle


def assemble(
    autoencoder: AutoencoderKL, generator: Generator, words: CLIPTokenizer, schedule: SchedulerMixin
) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=generator.text_encoder,
        tokenizer=words,
        unet=generator.unet,
        scheduler=schedule,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def assemble_upscaler(
    autoencoder: AutoencoderKL, unet: UNet2DConditionModel, reader: upscaler.Reader
) -> StableDiffusionUpscalePipeline:
    return StableDiffusionUpscalePipeline(
        vae=autoencoder,
        text_encoder=reader.text_encoder,
        tokenizer=reader.tokenizer,
        unet=upscaler.with_table_of_levels(unet),
        low_res_scheduler=upscaler.low_res_schedule(),
        scheduler=upscaler.schedule(),
        max_noise_level=upscaler.LEVELS,
    )


def write(pipeline: DiffusionPipeline, folder: Path) -> None:
    """Replaces the networks in `folder` by `pipeline`'s in half precision; other files there stay."""
    staged = folder.with_name(folder.name + ".part")
    shutil.rmtree(staged, ignore_errors=True)
    pipeline.to(dtype=torch.float16).save_pretrained(staged, safe_serialization=True)
    tokenizer.complete_files(staged / "tokenizer")
    _make_shareable(staged)
    folder.mkdir(parents=True, exist_ok=True)
    for item in staged.iterdir():
        target = folder / item.name
        if target.is_dir():
            shutil.rmtree(target)
        item.replace(target)
    staged.rmdir()


def _make_shareable(folder: Path) -> None:
    """Readable by everyone, and silent about the folders of the machine that wrote it."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
    for file in folder.rglob("config.json"):
        config = json.loads(file.read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)
        file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


# What the evaluators expect of pixels: 64x64, in [-1, 1]. The ViT's are prepared by CLIP's class too, for it
# crops as DINO's official preprocessing does.
_PREPROCESSING = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True, "size": {"shortest_edge": SIZE}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": SIZE, "width": SIZE},
    "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_convert_rgb": True,
}  # fmt: skip


def write_clip(model: CLIPModel, words: CLIPTokenizer, folder: Path) -> None:
    model.half().save_pretrained(folder)
    words.save_pretrained(folder)
    tokenizer.complete_files(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_PREPROCESSING, indent=2) + "\n")
    _make_shareable(folder)


def write_instance(model: ViTModel, folder: Path) -> None:
    model.half().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_PREPROCESSING, indent=2) + "\n")
    _make_shareable(folder)


def write_oracle(model: Oracle, channels: list[int], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"channels": list(channels)}))
    _make_shareable(folder)


def read_oracle(folder: Path) -> Oracle:
    model = Oracle(json.loads((folder / "config.json").read_text())["channels"])
    model.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
    return model.eval()
