"""What the networks weigh, and what one evaluation of the denoiser takes."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline


def parameters(pipeline: StableDiffusionPipeline) -> dict[str, int]:
    parts = {"autoencoder": pipeline.vae, "denoiser": pipeline.unet, "text encoder": pipeline.text_encoder}
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


def megabytes(folders: Iterable[Path]) -> dict[str, float]:
    sizes = {f.name: sum(file.stat().st_size for file in f.rglob("*") if file.is_file()) / 1e6 for f in folders}
    return {name: round(size, 2) for name, size in sizes.items()}


@torch.no_grad()
def denoiser_ms(pipeline: StableDiffusionPipeline, *, repeats: int = 60) -> dict[str, float]:
    """The processor's time for one picture's evaluation on one thread; waiting for other programs does not count."""
    unet, threads = pipeline.unet, torch.get_num_threads()
    side, channels, width = unet.config.sample_size, unet.config.in_channels, unet.config.cross_attention_dim
    words = torch.zeros(1, pipeline.tokenizer.model_max_length, width)
    torch.set_num_threads(1)
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        unet(torch.zeros(1, channels, side, side), 500, words)
        times.append(time.thread_time() - start)
    torch.set_num_threads(threads)
    return {"fastest": round(1000 * min(times), 1), "median": round(1000 * statistics.median(times), 1)}


def fingerprint(weights: Path) -> str:
    """Changes with any weight, so that a report can be told from another weights' report."""
    digest = hashlib.sha256()
    for file in sorted(weights.rglob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
