"""Pictures of the user's that an upscaler enlarges: where they lie, and copies of them beside what is made of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from imprint.data.listing import list_pictures
from imprint.errors import ConfigError, Problem
from imprint.hashing import file_hash
from imprint.locations import locate
from imprint.pictures.files import open_picture
from imprint.pictures.generate import generate_missing
from imprint.pictures.store import PictureStore, Recipe
from imprint.results.upscaling import Upscaler

HASH = 10  # letters of a picture's hash, in names


class GivenPicture(NamedTuple):
    file: Path
    content: str  # hash of the file's bytes
    size: tuple[int, int]  # height and width that are enlarged

    def named(self, recipe: Recipe) -> Recipe:
        """A recipe of that prompt and seed, for this picture."""
        name = f"{recipe.file.removesuffix('.png')}-{self.content[:HASH]}.png"
        facts = {**recipe.facts, "size": list(self.size), "picture": self.file.name, "picture_content": self.content}
        return recipe._replace(file=name, size=self.size, facts=facts)

    def load(self) -> Image.Image:
        """Its middle, where its sides are not multiples of what the upscaler needs."""
        return middle(open_picture(self.file), self.size)


def middle(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    height, width = size
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def picture_files(path: str, *, key: str) -> list[Path]:
    """A file, or all pictures that lie directly in a folder. Raises UserError where there are none."""
    place = locate(path)
    return list_pictures(place, key=key) if place.is_dir() else [place]


def given_pictures(path: str, *, key: str, upscaler: Upscaler) -> list[GivenPicture]:
    """Of `picture_files`. Raises ConfigError with all that cannot be read, or are too small."""
    found: list[GivenPicture] = []
    problems: list[Problem] = []
    for file in picture_files(path, key=key):
        try:
            picture = open_picture(file)
        except Exception as error:  # on damaged bytes, Pillow's readers raise nearly everything
            problems.append(Problem(key, str(file), f"cannot be read as a picture ({error}). Give another."))
            continue
        size = upscaler.enlarged_part(picture)
        if 0 in size:
            remedy = f"it has less than {upscaler.multiple} pixels on a side. Give a larger one."
            problems.append(Problem(key, str(file), remedy))
        else:
            found.append(GivenPicture(file, file_hash(file), size))
    if problems:
        raise ConfigError(problems)
    return found


def keep_given(given: Sequence[GivenPicture], lows: Sequence[Recipe], folder: Path) -> None:
    """Copies of the pixels alone, as the low pictures of these recipes."""
    by_content: Mapping[str, GivenPicture] = {one.content: one for one in given}
    store = PictureStore(folder, lows, {})
    generate_missing(
        store,
        lambda recipes: [by_content[recipe.facts["picture_content"]].load() for recipe in recipes],
        batch_size=None,
        label=None,
        counts_failures=False,
    )
