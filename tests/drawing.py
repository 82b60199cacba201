"""What the family tests ask of every model: some pictures, and how far apart two sets of them are."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from tiny import RESOLUTION

from imprint.models.base import Model
from imprint.types import LowRes, Sampler

PROMPTS = ("a photo of a dog", "a red vase on the beach")
SEEDS = (3, 11)
AS_TRAINED = Sampler("model", 4, 5.0, "a cat")
ROUNDING = 1  # of 255 levels
FACTOR = 4  # by which the tiny upscaler enlarges


def low_picture() -> Image.Image:
    """For an upscaler to enlarge: large spots of many colours."""
    spots = np.random.default_rng(7).integers(0, 255, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(spots).resize((RESOLUTION // FACTOR,) * 2, Image.Resampling.BICUBIC)


def given(model: Model, count: int) -> dict[str, LowRes]:
    """What a model has to be given beside prompts, to draw so many pictures."""
    return {} if model.upscaling is None else {"low_res": LowRes([low_picture()] * count, None)}


def draw(
    model: Model,
    sampler: Sampler = AS_TRAINED,
    prompts: Sequence[str] = PROMPTS,
    seeds: Sequence[int] = SEEDS,
) -> list[Image.Image]:
    size = {"height": RESOLUTION, "width": RESOLUTION}
    return model.generate(prompts, seeds, sampler=sampler, **size, **given(model, len(prompts)))


def draw_stock(
    pipeline: DiffusionPipeline, negative_prompt: str | None = AS_TRAINED.negative_prompt
) -> list[Image.Image]:
    """The pictures of `draw` by the library alone."""
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        list(PROMPTS),
        negative_prompt=negative_prompt if negative_prompt is None else [negative_prompt] * len(PROMPTS),
        num_inference_steps=AS_TRAINED.steps,
        guidance_scale=AS_TRAINED.guidance,
        height=RESOLUTION,
        width=RESOLUTION,
        generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
    ).images


def stock(folder: Path) -> DiffusionPipeline:
    """The library wants to be told of what a folder was saved without."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    without = {name: None for name, entry in index.items() if entry == [None, None]}
    return DiffusionPipeline.from_pretrained(folder, local_files_only=True, **without)


def distance(some: Sequence[Image.Image], others: Sequence[Image.Image]) -> int:
    """The largest difference of any pixel, in levels of 255."""
    assert len(some) == len(others)
    pairs = zip(some, others, strict=True)
    return max(int(np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max()) for a, b in pairs)


def disturb(module: torch.nn.Module) -> None:
    """Changes every weight, as training does."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.05)
