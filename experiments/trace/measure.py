"""How often `imprint trace` finds the seed of a picture, whole and damaged, and how often it finds one that it is not.

imprint train method=lora
python experiments/trace/measure.py outputs/dog6-lora-mini-... experiments/trace/results/rates.csv
"""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps

from imprint.locations import locate
from imprint.models.base import Model
from imprint.models.inversion import invert
from imprint.pictures.files import open_picture
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.types import Concept
from imprint.verbs.trace.matching import best_match

COUNT = 48
SEEDS = range(10_000)
OTHER_SEEDS = range(1_000_000, 1_000_000 + COUNT)  # of pictures whose seeds are not tried
CHANCE = 0.001  # as conf/trace.yaml has it
STEPS = 20
PROMPTS = ("a photo of a {identifier} {noun}", "a {identifier} {noun} in the jungle", "a photo of a {noun}")
ANCESTRAL = "EulerAncestralDiscreteScheduler"  # adds noise in its steps

Damage = Callable[[Image.Image], Image.Image]
Draw = Callable[[], tuple[list[Image.Image], Sequence[int]]]  # pictures, and their seeds


def main(folder: str, out: str, *names: str) -> None:
    """Of the sets with these names, or of all. Rows of other sets stay in the file."""
    torch.set_num_threads(1)
    run = Run.finished(locate(folder))
    model, concepts, _ = trained_model(run, scale={})
    rows = _read(Path(out)) if names else {}
    for name, draw in _sets(model, concepts[0], run.frame).items():
        if not names or name in names:
            rows[name] = {"pictures": name, **_rates(model, *draw())}
            print(rows[name], flush=True)
            _write(Path(out), rows.values())


def _sets(model: Model, concept: Concept, frame: tuple[int, int]) -> dict[str, Draw]:
    own = SEEDS[:COUNT]

    @cache
    def drawn(seeds: range, **sampler: Any) -> list[Image.Image]:
        prompts = [concept.fill(PROMPTS[place % len(PROMPTS)]) for place in range(len(seeds))]
        height, width = frame
        return model.generate(prompts, seeds, sampler=model.sampler._replace(**sampler), height=height, width=width)

    def photographs() -> list[Image.Image]:
        files = sorted(locate("pkg://imprint.miniature/photos").rglob("*.png"))
        return [open_picture(file).resize(frame[::-1]) for file in files[:COUNT]]

    return {
        **{name: partial(_damaged, partial(drawn, own), damage, own) for name, damage in DAMAGES.items()},
        "DDIM, 50 steps, guidance 7.5": lambda: (drawn(own, scheduler="DDIMScheduler", steps=50, guidance=7.5), own),
        f"{ANCESTRAL}, 50 steps": lambda: (drawn(own, scheduler=ANCESTRAL, steps=50), own),
        "foreign: of other seeds": lambda: (drawn(OTHER_SEEDS), ()),
        "foreign: photographs": lambda: (photographs(), ()),
    }


def _damaged(
    drawn: Callable[[], list[Image.Image]], damage: Damage, seeds: Sequence[int]
) -> tuple[list[Image.Image], Sequence[int]]:
    return [damage(picture) for picture in drawn()], seeds


def _rates(model: Model, pictures: Sequence[Image.Image], seeds: Sequence[int]) -> dict[str, int]:
    """`seeds` are those of the pictures, where they are among the seeds that are tried."""
    found = [match for match in _matches(model, pictures) if match is not None]
    right = sum(place < len(seeds) and seeds[place] == seed for place, seed in found)
    return {"count": len(pictures), "right": right, "wrong": len(found) - right}


def _read(file: Path) -> dict[str, dict[str, Any]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return {row["pictures"]: row for row in csv.DictReader(lines)}


def _write(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, ["pictures", "count", "right", "wrong"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


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
