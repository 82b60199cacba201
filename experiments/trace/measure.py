"""How often `imprint trace` finds the seed of a picture, whole and damaged, and how often it finds one that it is not.

imprint train method=lora
python experiments/trace/measure.py outputs/dog6-lora-mini-... experiments/trace/results/rates.csv
"""

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps

from imprint.api import Run
from imprint.locations import locate
from imprint.models.base import Model
from imprint.models.inversion import invert
from imprint.pictures.files import open_picture
from imprint.results.load import trained_model
from imprint.runs import Run as RunFolder
from imprint.verbs.trace.matching import best_match

COUNT = 48
SEEDS = range(10_000)
OTHER_SEEDS = range(1_000_000, 1_000_000 + COUNT)  # of pictures whose seeds are not tried
CHANCE = 0.001  # as conf/trace.yaml has it
STEPS = 20
PROMPTS = ("a photo of a {identifier} {noun}", "a {identifier} {noun} in the jungle", "a photo of a {noun}")
ANCESTRAL = "EulerAncestralDiscreteScheduler"  # adds noise in its steps

Damage = Callable[[Image.Image], Image.Image]


def main(folder: str, out: str) -> None:
    torch.set_num_threads(1)
    run = Run(folder)
    model = trained_model(RunFolder.finished(locate(folder)), scale={}).model
    rows = []
    for name, pictures, truth in _sets(run):
        found = [match for match in _matches(model, pictures) if match is not None]
        right = sum(seed in truth and truth[seed] == place for place, seed in found)
        rows.append({"pictures": name, "count": len(pictures), "right": right, "wrong": len(found) - right})
        print(rows[-1], flush=True)
    with Path(out).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _sets(run: Run) -> Iterator[tuple[str, list[Image.Image], dict[int, int]]]:
    """Pictures, and the place of each seed among them."""
    own = _drawn(run, SEEDS[:COUNT])
    places = {seed: place for place, seed in enumerate(SEEDS[:COUNT])}
    for name, damage in DAMAGES.items():
        yield name, [damage(picture) for picture in own], places
    yield f"drawn with {ANCESTRAL}", _drawn(run, SEEDS[:COUNT], scheduler=ANCESTRAL), places
    yield "foreign: of other seeds", _drawn(run, OTHER_SEEDS), {}
    photos = sorted(locate("pkg://imprint.miniature/photos").rglob("*.png"))
    yield "foreign: photographs", [open_picture(file).resize((64, 64)) for file in photos[:COUNT]], {}


def _drawn(run: Run, seeds: Sequence[int], **sampler: Any) -> list[Image.Image]:
    prompts = [PROMPTS[place % len(PROMPTS)] for place in range(len(seeds))]
    return [run.generate(prompt, seed=seed, **sampler)[0] for prompt, seed in zip(prompts, seeds, strict=True)]


def _matches(model: Model, pictures: Sequence[Image.Image]) -> list[tuple[int, int] | None]:
    """Of each picture, its place and the seed that is found."""
    both = [variant for picture in pictures for variant in (picture, ImageOps.mirror(picture))]
    noises_BCHW = invert(model, both, steps=STEPS)
    matches = [best_match(pair, SEEDS, compared=2 * len(SEEDS)) for pair in noises_BCHW.split(2)]
    return [(place, match.seed) if match.p <= CHANCE else None for place, match in enumerate(matches)]


def _jpeg(quality: int) -> Damage:
    def damaged(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return damaged


def _half_and_back(picture: Image.Image) -> Image.Image:
    half = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
    return half.resize(picture.size, Image.Resampling.LANCZOS)


def _cropped(picture: Image.Image) -> Image.Image:
    """The middle, 90 % of each side, scaled to the former size, as trace does itself."""
    x, y = (round(0.05 * side) for side in picture.size)
    middle = picture.crop((x, y, picture.width - x, picture.height - y))
    return middle.resize(picture.size, Image.Resampling.LANCZOS)


def _noisy(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture, dtype=float)
    noise = np.random.default_rng(0).normal(0, 0.05 * 255, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).round().astype(np.uint8))


DAMAGES: dict[str, Damage] = {
    "as drawn": lambda picture: picture,
    "JPEG 90": _jpeg(90),
    "JPEG 75": _jpeg(75),
    "JPEG 50": _jpeg(50),
    "half and back": _half_and_back,
    "middle 90 %": _cropped,
    "noise 5 %": _noisy,
    "blur 1": lambda picture: picture.filter(ImageFilter.GaussianBlur(1)),
    "mirrored": ImageOps.mirror,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
