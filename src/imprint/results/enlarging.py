"""The large pictures of a folder, made of low ones that lie beside them."""

from collections.abc import Iterable, Sequence
from functools import cache, partial
from pathlib import Path

import torch
from PIL import Image

from imprint.errors import ConfigError, Problem
from imprint.evaluation.profile import Precision
from imprint.hashing import file_hash
from imprint.pictures.generate import generate_missing
from imprint.pictures.low import LOW, from_low, low_of
from imprint.pictures.store import Outcome, PictureStore, Recipe
from imprint.planning.assemble import computing
from imprint.planning.residence import loading_to_draw
from imprint.planning.sizes import too_large_pictures
from imprint.provenance.base import MadeBy, Provenance
from imprint.results.upscaling import KEY, Upscaler
from imprint.types import Concept

SHOWN = ("level", "tile", "overlap")  # of an upscaler's settings, what marks name


class Enlarging:
    """`recipes` are those of the low pictures under their plain names, whose prompts have words for `concepts`. What is
    there already is not drawn again."""

    def __init__(
        self, upscaler: Upscaler, recipes: Iterable[Recipe], concepts: Sequence[Concept], *, folder: Path
    ) -> None:
        self.upscaler = upscaler
        self.folder = folder
        plain = list(recipes)
        self.lows = [low_of(recipe) for recipe in plain]
        self.large = [upscaler.recipe(recipe, concepts) for recipe in plain]

    def check(self, device: torch.device) -> None:
        """Raises ConfigError with all that is wrong."""
        problems: dict[str, Problem] = {}
        for size in dict.fromkeys(recipe.size for recipe in self.lows):
            found = list(self.upscaler.problems(size))
            if not found:
                tile, large = self.upscaler.settings.tile, self.upscaler.size(size)
                seen = large if tile is None else (min(large[0], tile), min(large[1], tile))
                key = "size" if tile is None else f"{KEY}.tile"
                found = list(too_large_pictures(self.upscaler.facts, key, seen, device))
            problems |= {str(problem): problem for problem in found}
        if problems:
            raise ConfigError(problems.values())

    def draw(self, provenance: Provenance, low_made_by: MadeBy, *, precision: Precision, device: torch.device) -> None:
        """Once the low pictures are there, by what `low_made_by` says."""
        lows = PictureStore(self.folder, self.lows, {})
        store = self._store(provenance, low_made_by)
        if store.missing():
            model = self.upscaler.load(loading_to_draw(precision, device), device)
            with computing(precision, device):
                generate_missing(
                    store,
                    from_low(lows, partial(self.upscaler.drawn, model)),
                    batch_size=1,
                    label="Enlarging",
                    counts_failures=False,
                )
        store.rewrite()

    def outcomes(self) -> list[Outcome]:
        return PictureStore(self.folder, self.large, {}).outcomes()

    def _store(self, provenance: Provenance, low_made_by: MadeBy) -> PictureStore:
        """Its pictures say what made the low ones, too, and of which they are made."""
        made_by = cache(lambda: MadeBy.all_of([low_made_by, self.upscaler.made_by()]))
        by_file = {recipe.file: recipe for recipe in self.large}

        def save(picture: Image.Image, file: Path) -> None:
            told = by_file[file.name].facts
            low = file_hash(self.folder / told[LOW])
            settings = tuple(f"{KEY}.{name}={told[KEY][name]}" for name in SHOWN if name in told[KEY])
            provenance.save(picture, file, made_by()._replace(parents=(low,), settings=settings))

        writer = provenance.writer(made_by)
        return PictureStore(self.folder, self.large, {}, writer=writer._replace(save=save))
