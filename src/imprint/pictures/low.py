"""Pictures that are made of low ones, which are kept beside them to be compared: NAME-low.png, and NAME-<hash>.png."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from imprint.pictures.files import open_picture
from imprint.pictures.store import PictureStore, Recipe, key_of
from imprint.types import Sampler

if TYPE_CHECKING:
    from imprint.pictures.generate import Generate

LOW = "low"  # in an entry of an index: the file that the picture was made of

Enlarge = Callable[[Recipe, Image.Image], Image.Image]  # to a recipe's picture, of the low one


def low_of(recipe: Recipe) -> Recipe:
    """That of the low picture, for what would be drawn as NAME.png. All that are made of it share it."""
    return recipe._replace(file=f"{_stem(recipe)}-{LOW}.png")


def enlarged(
    recipe: Recipe, key: str, settings: Mapping[str, Any], *, sampler: Sampler, size: tuple[int, int]
) -> Recipe:
    """That of the picture which is made, in this way, of the low one of the same recipe. `key` is what the index calls
    the way's `settings`, on all of which the name depends."""
    told = {**recipe.facts, "size": list(size), key: dict(settings), LOW: low_of(recipe).file}
    name = f"{_stem(recipe)}-{key_of({key: dict(settings), 'size': list(size)}, 10)}.png"
    return Recipe(name, recipe.prompt, recipe.seed, sampler, size, told)


def from_low(lows: PictureStore, enlarge: Enlarge) -> "Generate":
    """Makes pictures of low ones, which are there."""

    def generate(recipes: Sequence[Recipe]) -> list[Image.Image]:
        files = {outcome.recipe.file: outcome.file for outcome in lows.outcomes()}
        return [enlarge(recipe, open_picture(files[recipe.facts[LOW]])) for recipe in recipes]

    return generate


def _stem(recipe: Recipe) -> str:
    return recipe.file.removesuffix(".png")
