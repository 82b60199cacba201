"""The pictures of a folder, some of which are drawn twice: first low, and then larger, of the low ones."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from imprint.models.base import Model
from imprint.pictures.files import PictureWriter
from imprint.pictures.generate import generate_missing, generate_with
from imprint.pictures.low import from_low
from imprint.pictures.second_pass import Wanted
from imprint.pictures.store import Outcome, PictureStore, Recipe


class Passes:
    """What is there already, of either pass, is not drawn again."""

    def __init__(
        self, folder: Path, wanted: Sequence[Wanted], *, writer: PictureWriter, large_writer: PictureWriter
    ) -> None:
        self.folder = folder
        first = {recipe.file: recipe for recipe in (one.low or one.recipe for one in wanted)}
        second = {one.recipe.file: one.recipe for one in wanted if one.again}
        self._again = {one.recipe.file: one.again for one in wanted if one.again}
        self._wanted = wanted
        self._first = PictureStore(folder, list(first.values()), {}, writer=writer)
        self._second = PictureStore(folder, list(second.values()), {}, writer=large_writer)

    def missing(self) -> int:
        """How many are to be drawn."""
        return len(self._first.missing()) + len(self._second.missing())

    def draw(self, model: Model, *, batch_size: int | None, label: str) -> None:
        """Raises ConfigError, before the first, where the model cannot draw some of them."""
        for one in self._wanted:
            one.check(model)
        generate_missing(self._first, generate_with(model), batch_size=batch_size, label=label, counts_failures=False)
        if self._second.recipes:  # each by itself: what is computed together are tiles
            generate_missing(
                self._second,
                from_low(self._first, partial(self._drawn_again, model)),
                batch_size=1,
                label=f"{label}, second pass",
                counts_failures=False,
            )

    def rewrite(self) -> None:
        """Writes those again that another writer wrote: low ones first, which the larger name."""
        self._first.rewrite()
        self._second.rewrite()

    def outcomes(self) -> list[Outcome]:
        """Of what is asked for, without low ones, in its order."""
        found = {one.recipe.file: one for one in (*self._first.outcomes(), *self._second.outcomes())}
        return [found[one.recipe.file] for one in self._wanted if one.recipe.file in found]

    def _drawn_again(self, model: Model, recipe: Recipe, low: Image.Image) -> Image.Image:
        return self._again[recipe.file].drawn(model, recipe, low)
