"""The pre-training pictures, rendered once into a cache."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imprint.miniature.canvas import SIZE
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import Scene

_WORLD = Path(__file__).parents[1]
_CHUNK = 2000
_DRAWING = (
    "canvas", "fine_detail", "palette", "places", "properties", "renderer", "sampling", "scene", "scenery", "styles",
    "subjects",
)  # fmt: skip


def world_fingerprint() -> str:
    """Changes with the code of whatever draws, layout aside: a cache of another world is never used."""
    digest = hashlib.sha256()
    for source in [*(_WORLD / f"{name}.py" for name in _DRAWING), *sorted(_WORLD.glob("figures/*.py"))]:
        digest.update(ast.unparse(ast.parse(source.read_text(encoding="utf-8"))).encode())
    return digest.hexdigest()[:8]


def rendered(folder: Path, *, seed: int, count: int, size: int = SIZE) -> np.ndarray:
    """Pictures 0 to count-1 of pre-training."""
    name = f"pictures-{seed}" if size == SIZE else f"pictures-{size}px-{seed}"
    return drawn(folder, name, count, partial(pretraining_scene, seed), size)


def drawn(folder: Path, name: str, count: int, scene_at: Callable[[int], Scene], size: int = SIZE) -> np.ndarray:
    """The pictures of `count` scenes, uint8 (count, size, size, 3), memory-mapped from a cache in `folder`.

    `scene_at` must be picklable: many pictures are drawn by several processes.
    """
    path = folder / f"{name}-{count}-{world_fingerprint()}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        ranges = [range(i, min(i + _CHUNK, count)) for i in range(0, count, _CHUNK)]
        draw_range = partial(_draw_range, scene_at, size)
        if len(ranges) == 1:
            chunks = [draw_range(ranges[0])]
        else:
            print(f"{name}: drawing {count} pictures", flush=True)
            with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
                chunks = list(pool.map(draw_range, ranges))
        temporary = path.with_suffix(".part.npy")
        np.save(temporary, np.concatenate(chunks))
        os.replace(temporary, path)
    cached: np.ndarray = np.load(path, mmap_mode="r")
    return cached


def _draw_range(scene_at: Callable[[int], Scene], size: int, indices: range) -> np.ndarray:
    return np.stack([np.asarray(draw(scene_at(i), size)) for i in indices])


def as_tensor(pictures: np.ndarray) -> Tensor:
    """uint8 (B, H, W, 3) to float pixels_BCHW in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def shrunk(pixels_BCHW: Tensor, factor: int) -> Tensor:
    """The mean of each square of `factor` pixels, in as many levels as a file has."""
    mean = torch.nn.functional.avg_pool2d(pixels_BCHW, factor)
    return ((mean + 1) * 127.5).round() / 127.5 - 1


def bicubic(pixels_BCHW: Tensor, factor: int) -> Tensor:
    """`pixels_BCHW` enlarged by Pillow, as users would."""
    levels = ((pixels_BCHW + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    side = factor * levels.shape[1]
    large = [Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC) for picture in levels]
    return as_tensor(np.stack([np.asarray(picture) for picture in large]))


def corners(rng: np.random.Generator, side: int, crop: int, count: int) -> np.ndarray:
    """Where `count` squares of `crop` lie in pictures of `side`: (count, 2), from the top and from the left."""
    return rng.integers(0, side - crop + 1, (count, 2))


def cut(pixels_BCHW: Tensor, corners_B2: np.ndarray, crop: int) -> Tensor:
    """From each picture the square of `crop` at its corner."""
    squares = zip(pixels_BCHW, corners_B2, strict=True)
    return torch.stack([picture[:, y : y + crop, x : x + crop] for picture, (y, x) in squares])


def softened(pixels_BCHW: Tensor) -> Tensor:
    """A random third of the batch blurred: evaluators must not mind an autoencoder's softness."""
    small = torch.nn.functional.avg_pool2d(pixels_BCHW, 2)
    blurred = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    chosen = (torch.rand(pixels_BCHW.shape[0]) < 1 / 3).to(pixels_BCHW.device).view(-1, 1, 1, 1)
    return torch.where(chosen, blurred, pixels_BCHW)
