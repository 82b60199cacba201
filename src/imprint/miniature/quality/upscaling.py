"""Measures the upscaler on individuals it has never seen, and draws what it makes of them.

    python -m imprint.miniature upscaling --sheet docs/miniature_upscaler.png

writes report.json beside its weights and fills the table of their card. PSNR is against the true large picture: of all,
where the subject is, and in the strokes of its engraving, which nobody can know from a small picture.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionUpscalePipeline
from PIL import Image
from torch import Tensor

from imprint.miniature.canvas import stream
from imprint.miniature.captions import caption
from imprint.miniature.quality import tables
from imprint.miniature.quality.costs import fingerprint, megabytes, parameters
from imprint.miniature.quality.validity import held_out_scenes
from imprint.miniature.recipe.pictures import as_tensor, bicubic, shrunk
from imprint.miniature.recipe.stages.job import UPSCALER_WEIGHTS
from imprint.miniature.recipe.upscaler import FACTOR, LARGE, Reader, enlarged
from imprint.miniature.renderer import draw, engraving_mask, mask
from imprint.miniature.scene import Scene
from imprint.miniature.sheet import grid, labelled

STEPS = (1, 4, 10)
LEVELS = (0, 20, 100)
USUAL_STEPS = 4
BATCH = 16
FLOOR = "bicubic"
SHOWN = (0, 3, 5, 8, 10, 17)  # of the held-out scenes, in the sheet


def autoencoded(pipeline: StableDiffusionUpscalePipeline, truth_BCHW: Tensor) -> Tensor:
    with torch.no_grad():
        pixels: Tensor = pipeline.vae.decode(pipeline.vae.encode(truth_BCHW).latent_dist.mode()).sample
    return pixels.clamp(-1, 1)


def enlargements(
    pipeline: StableDiffusionUpscalePipeline, scenes: Sequence[Scene], truth_BCHW: Tensor, *, seed: int
) -> Iterator[tuple[str, Tensor]]:
    """Each way to a large picture by its name, with the pictures that it makes of these scenes."""
    low = shrunk(truth_BCHW, FACTOR)
    yield FLOOR, bicubic(low, FACTOR)
    yield "true pictures through its autoencoder", autoencoded(pipeline, truth_BCHW)
    reader = Reader(pipeline.text_encoder, pipeline.tokenizer)
    words = reader.words([caption(scene, stream("upscaling", seed, i)) for i, scene in enumerate(scenes)])
    ways = [(steps, 0) for steps in STEPS] + [(USUAL_STEPS, level) for level in LEVELS if level]
    for steps, level in ways:
        made = [
            enlarged(pipeline.unet, pipeline.vae, low[i : i + BATCH], words[i : i + BATCH],
                     steps=steps, level=level, seed=seed + i)
            for i in range(0, len(low), BATCH)
        ]  # fmt: skip
        yield f"{steps} step{'s' * (steps > 1)}, level {level}", torch.cat(made)


def decibels(pixels_BCHW: Tensor, truth_BCHW: Tensor, where_BHW: Tensor) -> list[float]:
    """Of each picture in its own region; those without one are left out."""
    error_BHW = ((pixels_BCHW - truth_BCHW) / 2).square().mean(1)
    return [
        -10 * math.log10(float(error[where].mean()) + 1e-10)
        for error, where in zip(error_BHW, where_BHW, strict=True)
        if where.any()
    ]


def measured(pipeline: StableDiffusionUpscalePipeline, *, count: int, seed: int) -> dict[str, Any]:
    scenes = held_out_scenes(count)
    truth = as_tensor(np.stack([np.asarray(draw(scene, LARGE)) for scene in scenes]))
    regions = {
        "whole": torch.ones(truth[:, 0].shape, dtype=torch.bool),
        "subject": _where([mask(scene, LARGE) for scene in scenes]),
        "engraving": _where([engraving_mask(scene, LARGE) for scene in scenes]),
    }
    each = {
        way: {region: decibels(made, truth, where) for region, where in regions.items()}
        for way, made in enlargements(pipeline, scenes, truth, seed=seed)
    }
    return {
        "pictures": count,
        "usual steps": USUAL_STEPS,
        "ways": {
            way: {
                **{region: round(statistics.mean(values), 2) for region, values in found.items()},
                "gain": _gain(found["whole"], each[FLOOR]["whole"]),
            }
            for way, found in each.items()
        },
    }


def _where(masks: Sequence[Image.Image]) -> Tensor:
    return torch.from_numpy(np.stack([np.asarray(one) > 127 for one in masks]))


def _gain(values: Sequence[float], floor: Sequence[float]) -> dict[str, float]:
    """Of the whole picture over the floor, with a normal 95% interval over pictures."""
    gains = [value - other for value, other in zip(values, floor, strict=True)]
    mean, half = statistics.mean(gains), 1.96 * statistics.stdev(gains) / math.sqrt(len(gains))
    return {"mean": round(mean, 2), "low": round(mean - half, 2), "high": round(mean + half, 2)}


def sheet(pipeline: StableDiffusionUpscalePipeline, *, seed: int) -> Image.Image:
    """Rows of held-out scenes: low, bicubic, drawn in one step and in USUAL_STEPS, true."""
    all_scenes = held_out_scenes(max(SHOWN) + 1)
    scenes = [all_scenes[i] for i in SHOWN]
    pictures = [draw(scene, LARGE) for scene in scenes]
    truth = as_tensor(np.stack([np.asarray(picture) for picture in pictures]))
    made: Mapping[str, Tensor] = dict(enlargements(pipeline, scenes, truth, seed=seed))
    columns = [made[FLOOR], made["1 step, level 0"], made[f"{USUAL_STEPS} steps, level 0"]]
    small = [_picture(low) for low in shrunk(truth, FACTOR)]
    rows = [[small[i], *(_picture(column[i]) for column in columns), picture] for i, picture in enumerate(pictures)]
    title = f"small, bicubic, one step, {USUAL_STEPS} steps, true"
    return labelled(grid(rows), [scene.subject.noun for scene in scenes], title=title)


def _picture(pixels_CHW: Tensor) -> Image.Image:
    return Image.fromarray(((pixels_CHW + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def loaded(folder: Path) -> StableDiffusionUpscalePipeline:
    pipeline: StableDiffusionUpscalePipeline = StableDiffusionUpscalePipeline.from_pretrained(
        str(folder), torch_dtype=torch.float32
    )
    return pipeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, default=UPSCALER_WEIGHTS)
    parser.add_argument("--out", type=Path, default=UPSCALER_WEIGHTS, help="folder of report.json, and of the card")
    parser.add_argument("--pictures", type=int, default=128, help="held-out scenes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="also a picture of some of them")


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    weights, out = arguments.weights, arguments.out
    if not (weights / "model_index.json").exists():
        parser.error(f"{weights}: has no model_index.json; `pretrain` makes it")
    if arguments.pictures < 2:
        parser.error(f"--pictures {arguments.pictures}: an interval needs two or more")
    pipeline = loaded(weights)
    report = {
        "fingerprint": fingerprint(weights),
        "parameters": parameters(pipeline),
        "megabytes": megabytes([weights]),
        "upscaling": measured(pipeline, count=arguments.pictures, seed=arguments.seed),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    card = out / "README.md"
    if card.exists():
        card.write_text(tables.filled(card.read_text(encoding="utf-8"), report), encoding="utf-8")
    if arguments.sheet:
        sheet(pipeline, seed=arguments.seed).save(arguments.sheet, optimize=True)
    print(f"wrote {out}/report.json")
