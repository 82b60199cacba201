"""Pictures that one model drew, enlarged by another: a run's upscaler, or one as it was made."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from pydantic import ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt

from imprint.errors import ConfigError, Problem
from imprint.kinds import of_kind
from imprint.locations import locate
from imprint.methods.adapter_layers import merge_exactly
from imprint.models.base import Model, ModelSource
from imprint.models.facts import ModelInfo
from imprint.models.loading import Loading
from imprint.models.low_side import Upscaling, level_problem
from imprint.pictures.low import enlarged
from imprint.pictures.store import Recipe
from imprint.provenance.base import MadeBy, result_hash
from imprint.results.load import own_model, trained_model
from imprint.runs import Run
from imprint.seeds import seed_of
from imprint.setting_types import Place
from imprint.types import Concept, LowRes, Sampler, Tiles

KEY = "upscaler"  # of its settings: in a configuration, and in an index
NOISE = "upscale"  # names its noise, beside the picture's seed


@of_kind("upscaler/settings")
@dataclass(frozen=True, kw_only=True)
class UpscalerSettings:
    """What `upscaler` is in a configuration; conf/enlarging/by_upscaler.yaml says what it means."""

    __pydantic_config__ = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)

    run: Place | None
    model: ModelSource | None
    level: NonNegativeInt | None
    steps: PositiveInt | None
    guidance: NonNegativeFloat | None
    scheduler: str | None
    negative_prompt: str | None
    tile: PositiveInt | None
    overlap: NonNegativeInt
    tile_batch: PositiveInt
    sheet: bool

    def chosen(self, trust: Sequence[str]) -> "Upscaler | None":
        """Raises UserError where there is no such upscaler, or two are asked for."""
        if self.run is None:
            return None if self.model is None else Upscaler(self, self.model, None)
        if self.model is not None:
            raise ConfigError([Problem(f"{KEY}.run", self.run, f"{KEY}.model is given, too. Choose one.")])
        run = Run.finished(locate(self.run), trust=trust)
        return Upscaler(self, own_model(run, {}), run)

    @property
    def tiles(self) -> Tiles | None:
        return None if self.tile is None else Tiles(self.tile, self.overlap, self.tile_batch)


@dataclass(frozen=True)
class Upscaler:
    """An upscaler that is not loaded yet."""

    settings: UpscalerSettings
    source: ModelSource
    run: Run | None  # None: it is untuned
    scale: Mapping[str, float] = field(default_factory=dict)  # of the run's result, by role

    @cached_property
    def facts(self) -> ModelInfo:
        return self.source.facts()

    @property
    def upscaling(self) -> Upscaling:
        """Raises ConfigError where the model is no upscaler."""
        if self.facts.upscaling is None:
            value = self.run.folder.name if self.run else "model"
            remedy = "this model draws from prompts. Give a run of an upscaler (model=sd_upscaler), or one untuned."
            raise ConfigError([Problem(KEY, value, remedy)])
        return self.facts.upscaling

    @property
    def level(self) -> int:
        return self.upscaling.level if self.settings.level is None else self.settings.level

    @property
    def sampler(self) -> Sampler:
        settings = self.settings
        given = {name: getattr(settings, name) for name in Sampler._fields if getattr(settings, name) is not None}
        sampler = self.source.sampler._replace(**given)
        return sampler._replace(guidance=float(sampler.guidance))

    @property
    def multiple(self) -> int:
        """What the sides of a picture must be multiples of, to be enlarged."""
        return self.facts.pixel_multiple // self.upscaling.factor

    def enlarged_part(self, picture: Image.Image) -> tuple[int, int]:
        """Height and width of the middle of a picture that it can enlarge; 0 where it is too small."""
        multiple = self.multiple
        return picture.height // multiple * multiple, picture.width // multiple * multiple

    def size(self, low: tuple[int, int]) -> tuple[int, int]:
        factor = self.upscaling.factor
        return low[0] * factor, low[1] * factor

    def problems(self, low: tuple[int, int]) -> Iterator[Problem]:
        """Why it cannot enlarge a picture of this height and width. Raises ConfigError where it is no upscaler."""
        upscaling, multiple = self.upscaling, self.facts.pixel_multiple
        if any(side % self.multiple or not side for side in low):
            remedy = f"{KEY} enlarges pictures whose sides are multiples of {self.multiple}."
            yield Problem("size", list(low), remedy)
        if problem := level_problem(f"{KEY}.level", self.level, upscaling):
            yield problem
        if (tiles := self.settings.tiles) and (tiles.size % multiple or tiles.size - tiles.overlap < multiple):
            remedy = f"give a multiple of {multiple}, {multiple} or more above {KEY}.overlap={tiles.overlap}."
            yield Problem(f"{KEY}.tile", tiles.size, remedy)

    def recipe(self, low: Recipe, concepts: Sequence[Concept]) -> Recipe:
        """Of the larger picture of what the recipe draws, whose prompt may have words for these concepts."""
        tiles, sampler = self.settings.tiles, self.sampler
        settings: dict[str, Any] = {
            "run": self.run and self.run.folder.name,
            "model": self.facts.fingerprint,
            **({"scale": dict(self.scale)} if self.scale else {}),
            "prompt": self.prompt(low.prompt, concepts),
            "level": self.level,
            **({} if tiles is None else {"tile": tiles.size, "overlap": tiles.overlap}),
            "sampler": sampler.hashed(),
        }
        return enlarged(low, KEY, settings, sampler=sampler, size=self.size(low.size))

    def prompt(self, text: str, concepts: Sequence[Concept]) -> str:
        """With the words that this upscaler was taught in place of those of the model that draws; untuned, it knows
        none."""
        own = {concept.name: concept for concept in (self.run.concepts if self.run else ())}
        alone = next(iter(own.values())) if len(own) == len(concepts) == 1 else None
        for concept in concepts:
            theirs = alone or own.get(concept.name)
            if self.run is None:
                text = re.sub(rf"{_word(concept)} ?", "", text)
            elif theirs is not None:
                text = re.sub(_word(concept), lambda _, word=theirs.identifier: word, text)  # type: ignore[misc]
        return text.strip()

    def made_by(self) -> MadeBy:
        return MadeBy((self.facts.fingerprint,), (result_hash(self.run.result),) if self.run else ())

    @property
    def weights(self) -> Hashable:
        """Those of two upscalers are equal where one loaded model serves both."""
        return self.facts.fingerprint, self.run and self.run.folder, tuple(self.scale.items())

    def load(self, loading: Loading, device: torch.device) -> Model:
        if self.run is None:
            model = self.source.load_as(loading)
            model.cast_frozen(loading.dtype)
        else:
            model = trained_model(self.run, scale=self.scale, loading=loading).model
        model = model.to(device)
        merge_exactly(model.roles.values())
        return model

    def drawn(self, model: Model, recipe: Recipe, low: Image.Image) -> Image.Image:
        """The larger picture, whose noise is named by the seed."""
        told: Mapping[str, Any] = recipe.facts[KEY]
        height, width = recipe.size
        with torch.no_grad():
            [picture] = model.generate(
                [told["prompt"]],
                [seed_of(recipe.seed, NOISE)],
                sampler=recipe.sampler,
                height=height,
                width=width,
                tiles=self.settings.tiles,
                low_res=LowRes([low], told["level"]),
            )
        return picture


def _word(concept: Concept) -> str:
    return rf"(?<!\w){re.escape(concept.identifier)}(?!\w)"
