"""Pictures that are drawn again, larger: as by the library's own pipelines, and in tiles, by every family."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from beginnings import BY_THE_LIBRARY, by_default, by_the_library, image_to_image, spots
from drawing import PROMPTS, ROUNDING, distance
from families import FAMILIES, load_tiny
from PIL import Image
from tiny import RESOLUTION

from imprint.errors import ConfigError
from imprint.models.beginning import encoded
from imprint.models.facts import ModelInfo
from imprint.models.pipeline import PipelineModel
from imprint.models.sampler import generator_of
from imprint.models.tiles import decoded
from imprint.pictures.second_pass import SecondPass, Wanted
from imprint.pictures.store import Recipe
from imprint.seeds import seed_of
from imprint.types import Tiles

SEED = 3
FROM_PROMPTS = [choice for choice, own in FAMILIES.items() if "image" not in own.drawing]  # an upscaler is given one
USUAL: dict[str, Any] = {"steps": None, "guidance": None, "enlarge": "lanczos", "overlap": 0.25, "tile_batch": 1}


class Own(NamedTuple):
    choice: str
    folder: Path
    facts: ModelInfo
    model: PipelineModel

    @property
    def side(self) -> int:
        """Of a tile that leaves room for an overlap."""
        return max(RESOLUTION, 2 * self.facts.pixel_multiple)

    def wanted(self, low: Image.Image, **settings: Any) -> Wanted:
        again = SecondPass(**{**USUAL, "factor": 2.0, "strength": 0.7, "tile": None, **settings})
        recipe = Recipe("x.png", PROMPTS[0], SEED, by_default(self.choice), (low.height, low.width), {})
        assert not list(again.problems(recipe.size, recipe.sampler, self.facts))
        return again.wanted(recipe, self.facts)

    def drawn(self, low: Image.Image, **settings: Any) -> Image.Image:
        wanted = self.wanted(low, **settings)
        assert wanted.again is not None
        return wanted.again.drawn(self.model, wanted.recipe, low)


@pytest.fixture(scope="module")
def own(tiny_folder: Callable[[str], Path]) -> Callable[[str], Own]:
    """A family's model. Read only."""

    @functools.cache
    def loaded(choice: str) -> Own:
        folder = tiny_folder(choice)
        return Own(choice, folder, FAMILIES[choice].source(folder).facts(), load_tiny(folder))

    return loaded


@pytest.mark.parametrize("choice", BY_THE_LIBRARY)
def test_a_larger_picture_is_that_of_the_stock_pipeline(choice: str, own: Callable[[str], Own]) -> None:
    """Of the enlarged picture, with the noise that is named by the seed."""
    family, low = own(choice), spots(0)
    large = low.resize((2 * RESOLUTION, 2 * RESOLUTION), Image.Resampling.LANCZOS)
    pipeline = image_to_image(family.folder)
    theirs = by_the_library(choice, pipeline, PROMPTS[0], large, 0.7, seed=seed_of(SEED, "hires"))
    ours = family.drawn(low)
    assert ours.size == (2 * RESOLUTION, 2 * RESOLUTION)
    assert distance([ours], [theirs]) <= ROUNDING


@pytest.mark.parametrize("choice", FROM_PROMPTS)
def test_how_many_tiles_are_computed_together_changes_nothing(choice: str, own: Callable[[str], Own]) -> None:
    family = own(choice)
    low = spots(0, family.side)
    one_by_one = family.drawn(low, tile=family.side)
    assert distance([family.drawn(low, tile=family.side, tile_batch=3)], [one_by_one]) <= ROUNDING
    assert distance([family.drawn(low)], [one_by_one]) > ROUNDING  # or there were no tiles


@pytest.mark.parametrize("choice", FROM_PROMPTS)
def test_a_tile_as_large_as_the_picture_is_none(choice: str, own: Callable[[str], Own]) -> None:
    family = own(choice)
    low = spots(1, family.side)
    assert distance([family.drawn(low, tile=2 * family.side)], [family.drawn(low)]) <= ROUNDING


@pytest.mark.parametrize("choice", FROM_PROMPTS)
def test_no_network_is_given_more_than_a_tile(
    choice: str, own: Callable[[str], Own], monkeypatch: pytest.MonkeyPatch
) -> None:
    family = own(choice)
    side, model = family.side, family.model
    seen: dict[str, set[tuple[int, ...]]] = {}

    def watch(name: str) -> None:
        called = getattr(model, name)

        def watched(given: torch.Tensor, *rest: Any) -> Any:
            seen.setdefault(name, set()).add(tuple(given.shape))
            return called(given, *rest)

        monkeypatch.setattr(model, name, watched)

    for name in ("denoise", "encode", "decode"):
        watch(name)
    latent = model.latent_shape(side, side)
    copies = 2 * (2 if model.draws_twice(by_default(choice).guidance) else 1)
    for factor in (2.0, 3.0):
        seen.clear()
        family.drawn(spots(0, side), tile=side, tile_batch=2, factor=factor, strength=0.3)
        assert {shape[1:] for shape in seen["denoise"]} == {latent}
        assert max(shape[0] for shape in seen["denoise"]) == copies
        assert seen["encode"] == {(1, 3, side, side)}
        assert seen["decode"] == {(1, *latent)}


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("choice", FROM_PROMPTS)
def test_little_strength_leaves_what_the_autoencoder_makes_of_the_enlarged_picture(
    choice: str, tiled: bool, own: Callable[[str], Own]
) -> None:
    family = own(choice)
    low = spots(0, family.side)
    tiles = Tiles(family.side, family.facts.pixel_multiple, 1) if tiled else None
    side = 2 * family.side
    large = low.resize((side, side), Image.Resampling.LANCZOS)
    with torch.no_grad():
        latents = encoded(family.model, [large], [generator_of(seed_of(SEED, "hires"))], torch.device("cpu"), tiles)
        as_it_was = decoded(family.model, latents, (side, side), tiles)
    little, much = (
        apart(family.drawn(low, tile=tiles and tiles.size, steps=steps, strength=strength), as_it_was)
        for steps, strength in ((500, 0.002), (5, 1.0))
    )
    assert little < much / 2


def test_a_picture_beyond_the_denoisers_places_is_drawn_in_tiles(own: Callable[[str], Own]) -> None:
    family = own("sd3")
    largest = family.model.largest_side
    assert largest is not None
    low = spots(0, largest)
    with pytest.raises(ConfigError, match=rf"hires\.factor: .* places for {largest}\. Choose hires=tiles"):
        family.wanted(low).check(family.model)
    with pytest.raises(ConfigError, match=rf"hires\.tile: .* places for {largest}\. Choose a smaller one"):
        family.wanted(low, tile=largest + family.facts.pixel_multiple).check(family.model)
    family.wanted(low, tile=largest).check(family.model)
    assert family.drawn(low, tile=largest, strength=0.2).size == (2 * largest, 2 * largest)


def apart(some: Image.Image, other: Image.Image) -> float:
    """On average, in levels of 255."""
    return float(np.abs(np.asarray(some, dtype=float) - np.asarray(other, dtype=float)).mean())
