"""Pictures of a class, drawn once by the untuned model and kept for every run that asks for the same ones."""

import hashlib
import json
import logging
from pathlib import Path

from filelock import FileLock

from imprint.data.dataset import open_files
from imprint.data.pictures import PictureSet
from imprint.draws import seed_of
from imprint.families.base import Facts, Family
from imprint.files import write_atomically, write_json
from imprint.locations import cache_folder
from imprint.types import Sampler

log = logging.getLogger(__name__)


class ClassImages:
    """A cache folder named by everything a picture depends on.

    Picture i depends on its own seed, not on how many are asked for: a later run that wants more adds to the folder,
    one that wants fewer uses the first ones, and an interrupted one goes on where it stopped.
    """

    def __init__(self, *, facts: Facts, prompt: str, seed: int, sampler: Sampler, precision: str) -> None:
        self.size = facts.resolution
        self.prompt = prompt
        self.seed = seed
        self.sampler = sampler
        self.recipe = {
            "model": facts.fingerprint,
            "prompt": prompt,
            "seed": seed,
            "size": self.size,
            "precision": precision,
            **sampler.told(),
        }

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(json.dumps(self.recipe, sort_keys=True).encode()).hexdigest()
        return cache_folder() / "class_images" / digest[:16]

    def draw(self, family: Family, *, count: int, batch_size: int) -> PictureSet:
        """The first `count` pictures, drawing those that are not there. Jobs that ask at the same time wait for one
        another; a picture appears whole or not at all."""
        files = [self.folder / f"{index:05d}.png" for index in range(count)]
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder.with_suffix(".lock")):
            missing = [index for index, file in enumerate(files) if not file.exists()]
            if missing:
                log.info("Drawing %d of %d class pictures: %r", len(missing), count, self.prompt)
                write_json(self.folder / "recipe.json", self.recipe)
            for start in range(0, len(missing), batch_size):
                self._draw_batch(family, files, missing[start : start + batch_size])
        return open_files(files)

    def _draw_batch(self, family: Family, files: list[Path], indices: list[int]) -> None:
        pictures = family.generate(
            [self.prompt] * len(indices),
            [seed_of(self.seed, "class image", index) for index in indices],
            sampler=self.sampler,
            height=self.size,
            width=self.size,
        )
        for index, picture in zip(indices, pictures, strict=True):
            write_atomically(files[index], picture.save)
