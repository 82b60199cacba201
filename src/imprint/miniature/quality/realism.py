"""Generated pictures and true ones of the same captions, as distributions beside other true pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor
from transformers import CLIPModel, ViTModel

from imprint.miniature.canvas import stream
from imprint.miniature.captions import caption
from imprint.miniature.quality.distances import frechet, kernel
from imprint.miniature.quality.generating import Sampler, generate
from imprint.miniature.recipe.pictures import as_tensor
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import Scene

REFERENCE, OTHERS = -11, -12  # seeds of scenes composed as pre-training's, which it never saw
Features = Callable[[Tensor], Tensor]


@torch.no_grad()
def realism(
    pipeline: StableDiffusionPipeline, evaluators: Path, *, count: int, sampler: Sampler, seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    """By feature space and by set, the distances to `count` true pictures.

    The sets: as the floor, other true pictures; those as the autoencoder gives them back, which is the least that a
    generator behind it can reach; and pictures generated from those' captions, not from the reference's: pictures of
    the same captions would come nearer than chance.
    """
    reference, others = ([pretraining_scene(which, i) for i in range(count)] for which in (REFERENCE, OTHERS))
    asked = [
        (caption(scene, stream("realism", i)), stream("realism's noise", seed, i).randrange(2**31))
        for i, scene in enumerate(others)
    ]
    pixels, floor = drawn(reference), drawn(others)
    sets = {
        "generated": stacked(generate(pipeline, asked, sampler)),
        "other true pictures, through the autoencoder": through_autoencoder(pipeline, floor),
        "other true pictures": floor,
    }
    spaces = {"instance": instance_features(evaluators / "instance"), "clip": clip_features(evaluators / "clip")}
    report: dict[str, dict[str, dict[str, float]]] = {}
    for space, features in spaces.items():
        expected = in_chunks(features, pixels)
        measured = {name: in_chunks(features, some) for name, some in sets.items()}
        report[space] = {
            name: {"frechet": round(frechet(f, expected), 3), "kernel": round(kernel(f, expected), 4)}
            for name, f in measured.items()
        }
    return report


def drawn(scenes: Sequence[Scene]) -> Tensor:
    return stacked([draw(scene) for scene in scenes])


def stacked(pictures: Sequence[Image.Image]) -> Tensor:
    return as_tensor(np.stack([np.asarray(picture.convert("RGB")) for picture in pictures]))


def in_chunks(features: Features, pixels_BCHW: Tensor) -> np.ndarray:
    return torch.cat([features(chunk) for chunk in pixels_BCHW.split(128)]).double().numpy()


def through_autoencoder(pipeline: StableDiffusionPipeline, pixels_BCHW: Tensor) -> Tensor:
    vae = pipeline.vae
    back = [vae.decode(vae.encode(chunk).latent_dist.mode()).sample for chunk in pixels_BCHW.split(64)]
    return torch.cat(back).clamp(-1, 1)


def instance_features(folder: Path) -> Features:
    """The class token as it leaves the encoder: its length is not taken away, for these distances want scale."""
    model = ViTModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    return lambda pixels: model(pixel_values=pixels).last_hidden_state[:, 0]


def clip_features(folder: Path) -> Features:
    """The last layer's pooled token, before the projection to the space it shares with captions."""
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).vision_model
    return lambda pixels: model(pixel_values=pixels).pooler_output
