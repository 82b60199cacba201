"""Tiles cover a picture, and what is computed for each becomes one whole without a seam."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from beginnings import by_default, spots
from drawing import PROMPTS, ROUNDING, SEEDS, distance
from families import load_tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import SINGLE
from torch import Tensor
from torch.nn import functional

from imprint.models.base import Model
from imprint.models.tiles import tiling
from imprint.types import Beginning, Moments, Tiles

CELL, MULTIPLE = 4, 8  # of the tiny model: pixels to a latent's pixel, and what tiles begin at


@settings(deadline=None, max_examples=40)
@given(side=st.integers(2, 8), overlap=st.integers(1, 4), height=st.integers(1, 16), width=st.integers(1, 24))
def test_every_place_is_in_tiles_whose_weights_add_up_to_one(
    tiny_model: Model, side: int, overlap: int, height: int, width: int
) -> None:
    tiles = Tiles(MULTIPLE * side, MULTIPLE * min(overlap, side - 1), 1)
    size = (MULTIPLE * height, MULTIPLE * width)
    found = tiling(tiny_model, size, tiles)
    for every, unit in ((found.in_pixels, 1), (found.in_latents, CELL)):
        whole = torch.zeros(1, 1, size[0] // unit, size[1] // unit)
        for tile in every:
            ones = torch.ones_like(tile.of(whole))
            assert ones.shape[2:] == (min(tiles.size, size[0]) // unit, min(tiles.size, size[1]) // unit)
            assert (tile.weighted(ones) > 0).all()
            tile.add(whole, ones)
        assert (whole - 1).abs().max() <= SINGLE
    for pixels, latents in zip(found.in_pixels, found.in_latents, strict=True):
        assert pixels.rows.start == CELL * latents.rows.start
        assert pixels.columns.start % MULTIPLE == 0
    starts = sorted({tile.columns.start for tile in found.in_pixels})
    assert all(then - now <= tiles.size - tiles.overlap for now, then in pairwise(starts))


def test_a_tile_counts_less_towards_an_edge_that_has_a_neighbour_alone(tiny_model: Model) -> None:
    first, last = tiling(tiny_model, (32, 56), Tiles(32, 8, 1)).in_pixels
    assert (first.rows.weights_L == 1).all()
    falling = first.columns.weights_L[24:]
    assert (falling.diff() < 0).all()
    assert (first.columns.weights_L[:24] == 1).all()
    assert torch.allclose(falling.flip(0), last.columns.weights_L[:8])


def test_networks_to_which_a_place_alone_matters_draw_the_same_in_tiles(
    tiny_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So there is no seam, no place is left out or counted twice, and the noise is that of the whole."""
    model = load_tiny(tiny_folder("sd"))

    def encode(pixels_BCHW: Tensor) -> Moments:
        mean_BCHW = functional.avg_pool2d(pixels_BCHW, CELL)[:, [0, 1, 2, 0]]
        return Moments(mean_BCHW, torch.full_like(mean_BCHW, 0.1))

    def decode(latents_BCHW: Tensor) -> Tensor:
        return functional.interpolate(latents_BCHW[:, :3], scale_factor=CELL).clamp(-1, 1)

    def denoise(noisy_BCHW: Tensor, t_B: Tensor, conditioning: Any) -> Tensor:
        return noisy_BCHW.sin() * conditioning["tokens"].mean(dim=(1, 2))[:, None, None, None]

    for name, own in (("encode", encode), ("decode", decode), ("denoise", denoise)):
        monkeypatch.setattr(model, name, own)
    for scheduler in ("DDIMScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"):
        whole, *others = (
            model.generate(
                PROMPTS,
                SEEDS,
                sampler=by_default("sd", scheduler),
                height=72,
                width=56,
                beginning=Beginning([spots(seed).resize((56, 72)) for seed in SEEDS], 0.6, None),
                tiles=tiles,
            )
            for tiles in (None, Tiles(32, 8, 1), Tiles(24, 8, 5), Tiles(64, 32, 2))
        )
        assert all(distance(drawn, whole) <= ROUNDING for drawn in others)


def test_a_network_that_knows_of_crops_is_told_which_crop_a_tile_is(
    tiny_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_tiny(tiny_folder("sdxl"))
    denoise, told = model.denoise, []

    def watched(noisy_BCHW: Tensor, t_B: Tensor, conditioning: Any) -> Tensor:
        told.append(conditioning["time_ids"].tolist())
        return denoise(noisy_BCHW, t_B, conditioning)

    monkeypatch.setattr(model, "denoise", watched)
    beginning = Beginning([spots(0).resize((56, 32))], 0.2, None)
    sampler = by_default("sdxl")
    model.generate(PROMPTS[:1], [0], sampler=sampler, height=32, width=56, beginning=beginning, tiles=Tiles(32, 8, 2))
    left, right = [32, 56, 0, 0, 32, 32], [32, 56, 0, 24, 32, 32]
    assert told == [[left, right, left, right]]  # for the negative prompt, and for the prompt
