"""hires=second_pass: a picture is enlarged, given some noise and drawn again by the same model (SDEdit, arXiv
2108.01073), so that its detail comes from the network that knows the subject."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal, NamedTuple

import torch
from annotated_types import Gt, Le
from PIL import Image
from pydantic import NonNegativeFloat, PositiveInt

from imprint.errors import ConfigError, Problem, UserError
from imprint.kinds import of_kind
from imprint.models.base import Model
from imprint.models.beginning import first_step
from imprint.models.facts import ModelInfo
from imprint.models.tiles import tile_size
from imprint.pictures.files import PIXEL_LIMIT
from imprint.pictures.low import enlarged, low_of
from imprint.pictures.store import Recipe
from imprint.seeds import seed_of
from imprint.types import Beginning, Sampler, Tiles

KEY = "hires"  # of its settings: in a configuration, and in an index
RESAMPLING = {"lanczos": Image.Resampling.LANCZOS, "bicubic": Image.Resampling.BICUBIC}

Size = tuple[int, int]  # height, width


class SecondDrawing(NamedTuple):
    """Of one picture, by a model whose needs are known."""

    settings: "SecondPass"
    tiles: Tiles | None

    def drawn(self, model: Model, recipe: Recipe, low: Image.Image) -> Image.Image:
        """The larger picture. Its noise is named by the seed, and is that of the whole, whatever the tiles."""
        height, width = recipe.size
        large = low.resize((width, height), RESAMPLING[self.settings.enlarge])
        with torch.no_grad():
            [picture] = model.generate(
                [recipe.prompt],
                [seed_of(recipe.seed, KEY)],
                sampler=recipe.sampler,
                height=height,
                width=width,
                beginning=Beginning([large], self.settings.strength, None),
                tiles=self.tiles,
            )
        return picture


class Wanted(NamedTuple):
    """A picture that is asked for; where it is drawn twice, with the low one that it is made of."""

    recipe: Recipe
    low: Recipe | None = None
    again: SecondDrawing | None = None

    def check(self, model: Model) -> None:
        """Raises ConfigError where the denoiser has no places for a picture so large, or for a tile of it."""
        largest, size = model.largest_side, self.recipe.size
        if self.again is None or largest is None:
            return
        tiles = self.again.tiles
        side = max(size if tiles is None else tile_size(size, tiles))
        if side > largest:
            key, remedy = ("factor", "Choose hires=tiles.") if tiles is None else ("tile", "Choose a smaller one.")
            reason = f"it makes {side} pixels on a side, and this model has places for {largest}."
            raise ConfigError([f"{KEY}.{key}: {reason} {remedy}"])


@of_kind("hires/second_pass")
@dataclass(frozen=True, kw_only=True)
class SecondPass:
    """What a `hires` configuration constructs; conf/hires/second_pass.yaml says what its settings mean."""

    factor: Annotated[float, Gt(1)]
    strength: Annotated[float, Gt(0), Le(1)]
    steps: PositiveInt | None
    guidance: NonNegativeFloat | None
    enlarge: Literal["lanczos", "bicubic"]
    tile: PositiveInt | Literal["model"] | None
    overlap: Annotated[float, Gt(0), Le(0.5)]
    tile_batch: PositiveInt

    def size(self, low: Size, facts: ModelInfo) -> Size:
        """The larger size, in multiples of what the model needs."""
        height, width = (self._multiple(side * Fraction(self.factor), facts) for side in low)
        return height, width

    def sampler(self, low: Sampler) -> Sampler:
        """Of the second pass, by that of the first."""
        guidance = low.guidance if self.guidance is None else float(self.guidance)
        return low._replace(steps=self.steps or low.steps, guidance=guidance)

    def tiles(self, facts: ModelInfo) -> Tiles | None:
        if self.tile is None:
            return None
        side = facts.resolution if self.tile == "model" else int(self.tile)
        multiple = facts.pixel_multiple
        overlap = -(-Fraction(self.overlap) * side // multiple) * multiple  # rounded up
        return Tiles(side, int(overlap), self.tile_batch)

    def problems(self, low: Size, sampler: Sampler, facts: ModelInfo) -> Iterator[Problem]:
        """Why it cannot be done to a picture of this size, which this sampler draws."""
        multiple = facts.pixel_multiple
        if any(side % multiple for side in low):
            yield Problem("size", list(low), f"this model needs multiples of {multiple}.")
            return
        height, width = large = self.size(low, facts)
        if large == low:
            yield Problem(
                f"{KEY}.factor", self.factor, f"no side of {list(low)} grows by {multiple}. Choose a larger one."
            )
        if height * width > PIXEL_LIMIT:
            limit = f"more than the {PIXEL_LIMIT // 10**6} million that pictures may have to be read again"
            remedy = f"{height} x {width} pixels are {limit}. Choose a smaller one."
            yield Problem(f"{KEY}.factor", self.factor, remedy)
        try:
            steps = self.sampler(sampler).steps
            first_step(steps, self.strength, flow=facts.prediction == "flow")
        except UserError:
            remedy = f"of {steps} steps this leaves none. Give at least {1 / steps:.2g}, or more {KEY}.steps."
            yield Problem(f"{KEY}.strength", self.strength, remedy)
        yield from self._wrong_tiles(facts)

    def wanted(self, recipe: Recipe, facts: ModelInfo) -> Wanted:
        """The larger picture of what the recipe alone would draw."""
        sampler, size, tiles = self.sampler(recipe.sampler), self.size(recipe.size, facts), self.tiles(facts)
        settings = {
            "factor": float(self.factor),
            "strength": float(self.strength),
            "steps": sampler.steps,
            "guidance": sampler.guidance,
            "enlarge": self.enlarge,
            **({} if tiles is None else {"tile": tiles.size, "overlap": tiles.overlap}),
        }
        large = enlarged(recipe, KEY, settings, sampler=sampler, size=size)
        return Wanted(large, low_of(recipe), SecondDrawing(self, tiles))

    def _multiple(self, pixels: Fraction, facts: ModelInfo) -> int:
        """The nearest one."""
        return max(1, round(pixels / facts.pixel_multiple)) * facts.pixel_multiple

    def _wrong_tiles(self, facts: ModelInfo) -> Iterator[Problem]:
        tiles, multiple = self.tiles(facts), facts.pixel_multiple
        if tiles is None:
            return
        if tiles.size % multiple:
            below = tiles.size // multiple * multiple
            near = " or ".join(str(side) for side in (below, below + multiple) if side)
            yield Problem(f"{KEY}.tile", self.tile, f"this model needs a multiple of {multiple}: {near}.")
        elif tiles.size - tiles.overlap < multiple:
            remedy = f"nothing of it is left beside an overlap of {tiles.overlap} pixels. Choose a larger one."
            yield Problem(f"{KEY}.tile", self.tile, remedy)
