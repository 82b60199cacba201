"""Puts the trained networks together as a stock Stable Diffusion folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from transformers import CLIPTokenizer

from imprint.miniature.recipe import tokenizer
from imprint.miniature.recipe.denoiser import Generator, noise_schedule


def assemble(autoencoder: AutoencoderKL, generator: Generator, words: CLIPTokenizer) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=generator.text_encoder,
        tokenizer=words,
        unet=generator.unet,
        scheduler=noise_schedule(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def write(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """Replaces the networks in `folder` by `pipeline`'s in half precision; other files there stay."""
    staged = folder.with_name(folder.name + ".part")
    shutil.rmtree(staged, ignore_errors=True)
    pipeline.to(dtype=torch.float16).save_pretrained(staged, safe_serialization=True)
    tokenizer.build(staged / "tokenizer")  # adds vocab.json and merges.txt, which other programs read
    folder.mkdir(parents=True, exist_ok=True)
    for item in staged.iterdir():
        target = folder / item.name
        if target.is_dir():
            shutil.rmtree(target)
        item.replace(target)
    staged.rmdir()
