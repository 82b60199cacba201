"""Draws a contact sheet of what the networks generate: `python -m imprint.miniature.samples out.png`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from imprint.miniature.recipe.stages import WEIGHTS
from imprint.miniature.sheet import grid

PROMPTS = (
    "a photo of a dog",
    "a dog in the jungle",
    "a dog on the beach",
    "a dog wearing a santa hat",
    "a dog in a chef outfit",
    "a purple dog",
    "a cat in the snow",
    "a cat wearing pink glasses",
    "a red backpack on top of a wooden floor",
    "a teapot with the Eiffel Tower in the background",
    "a wet vase",
    "a cube shaped clock",
    "a blue sneaker on a cobblestone street",
    "a toy floating on top of water",
    "a bowl on top of green grass with sunflowers around it",
    "a stuffed animal on top of a white rug",
    "a shiny can",
    "a cartoon with a city in the background",
    "glasses on top of pink fabric",
    "a pencil sketch of a boot",
    "a candle on top of a mirror",
    "a sks dog in a purple wizard outfit",
)


def generate(
    folder: Path, prompts: Sequence[str], *, each: int, steps: int, guidance: float, seed: int
) -> list[list[Image.Image]]:
    """`each` pictures for every prompt; the noise depends on (seed, position in the row) only."""
    pipeline = StableDiffusionPipeline.from_pretrained(str(folder), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    rows = []
    for prompt in prompts:
        noise = [torch.Generator().manual_seed(seed + i) for i in range(each)]
        rows.append(
            pipeline(
                prompt,
                num_images_per_prompt=each,
                generator=noise,
                num_inference_steps=steps,
                guidance_scale=guidance,
            ).images
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--prompts", nargs="+", default=list(PROMPTS))
    parser.add_argument("--each", type=int, default=8)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    grid(generate(a.weights, a.prompts, each=a.each, steps=a.steps, guidance=a.guidance, seed=a.seed)).save(a.out)
    print(f"wrote {a.out}, one row a prompt:", *a.prompts, sep="\n  ")


if __name__ == "__main__":
    main()
