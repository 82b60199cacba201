"""Draws pictures with the pipeline that is judged, through stock diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import diffusers
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

BATCH = 16


@dataclass(frozen=True)
class Sampler:
    """A diffusers scheduler by its class name, configured as the pipeline's own where nothing else is said."""

    scheduler: str = "DPMSolverMultistepScheduler"
    steps: int = 15
    guidance: float = 5.0
    karras: bool = False

    def applied_to(self, pipeline: StableDiffusionPipeline) -> StableDiffusionPipeline:
        options = {"use_karras_sigmas": True} if self.karras else {}
        kind = getattr(diffusers, self.scheduler)
        pipeline.scheduler = kind.from_config({**pipeline.scheduler.config, **options})
        return pipeline


def loaded(weights: Path) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline.from_pretrained(str(weights), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(
    pipeline: StableDiffusionPipeline, asked: Sequence[tuple[str, int]], sampler: Sampler
) -> list[Image.Image]:
    """A picture for each (prompt, seed of its noise); neither depends on what else is asked for."""
    sampler.applied_to(pipeline)
    pictures: list[Image.Image] = []
    for i in range(0, len(asked), BATCH):
        some = asked[i : i + BATCH]
        noise = [torch.Generator().manual_seed(seed) for _, seed in some]
        drawn = pipeline(
            [prompt for prompt, _ in some],
            generator=noise,
            num_inference_steps=sampler.steps,
            guidance_scale=sampler.guidance,
        )
        pictures += drawn.images
    return pictures
