"""Pictures that begin with pictures, as the library's own pipelines draw them, for the families that it has one of."""

from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoPipelineForImage2Image, DiffusionPipeline
from diffusers.pipelines.auto_pipeline import AUTO_IMAGE2IMAGE_PIPELINES_MAPPING, AUTO_TEXT2IMAGE_PIPELINES_MAPPING
from drawing import stock
from families import FAMILIES
from PIL import Image
from tiny import RESOLUTION
from tiny_family import Guided

from imprint.types import Sampler

STEPS = 5
BY_WORDS = Guided(4.0, "a cat", {"guidance_scale": 4.0, "negative_prompt": "a cat"})  # of models of diffusion
GUIDED = {
    choice: next((own for own in family.guided.values() if not own.made), BY_WORDS)
    for choice, family in FAMILIES.items()
}
TEXT_TO_IMAGE = {
    kind.__name__
    for name, kind in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.items()
    if AUTO_IMAGE2IMAGE_PIPELINES_MAPPING.get(name, kind) is not kind  # FLUX.2 reads pictures as it reads texts
}
BY_THE_LIBRARY = [choice for choice, own in FAMILIES.items() if own.source(".").layout.pipeline in TEXT_TO_IMAGE]


def spots(seed: int, side: int = RESOLUTION) -> Image.Image:
    """Large ones, of many colours."""
    small = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST)


def by_default(choice: str, scheduler: str = "model") -> Sampler:
    return Sampler(scheduler, STEPS, GUIDED[choice].guidance, GUIDED[choice].negative_prompt)


def image_to_image(folder: Path) -> DiffusionPipeline:
    pipeline = AutoPipelineForImage2Image.from_pipe(stock(folder))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def by_the_library(
    choice: str, pipeline: Any, prompt: str, picture: Image.Image, strength: float, *, seed: int
) -> Image.Image:
    """Of the picture's size."""
    told = {"num_inference_steps": STEPS, "strength": strength, **FAMILIES[choice].drawing, **GUIDED[choice].told}
    size = {"height": picture.height, "width": picture.width}
    told |= {key: value for key, value in size.items() if key in signature(pipeline.__call__).parameters}
    drawn: Image.Image = pipeline(
        prompt=prompt, image=picture, generator=torch.Generator().manual_seed(seed), **told
    ).images[0]
    return drawn
