"""Which pictures are kept out of training."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem

log = logging.getLogger(__name__)

# Copies are recognised by small versions: a copy that was saved again, or scaled, has other bytes. Two photos of one
# thing in one place differ by far more than saving does.
SMALL = (32, 32)
SAME_LEVELS = 2.0  # of 255, on average


class Split(NamedTuple):
    trained: PictureSet
    held_out: PictureSet | None


def split(pictures: PictureSet, count: int) -> Split:
    """Keeps `count` different pictures out, each with its copies, so that no copy of them is trained on.

    They are the last ones by content. Neither the files' names nor their order nor the machine has a part in that: the
    same pictures are split alike wherever they lie. Both parts keep the order of `pictures`.

    Raises ConfigError if none would be left to train on.
    """
    if count == 0:
        return Split(pictures, None)
    groups = copies(pictures)
    if count >= len(groups):
        raise ConfigError([Problem("dataset.holdout", count, _too_many(len(groups), len(pictures)))])
    _warn_ofcopies(groups, pictures)
    groups.sort(key=lambda group: min(pictures.pictures[index].content for index in group))
    held_out = sorted(index for group in groups[-count:] for index in group)
    trained = [index for index in range(len(pictures)) if index not in held_out]
    return Split(pictures.subset(trained), pictures.subset(held_out))


def _too_many(different: int, all_of_them: int) -> str:
    those = f"{different} different pictures" if different < all_of_them else f"{all_of_them} pictures"
    if different == 1:
        return "there is only one picture (copies do not count). Give 0, or add pictures."
    return f"there are only {those}, and one must be left to train on. Give at most {different - 1}, or add pictures."


def copies(pictures: PictureSet) -> list[list[int]]:
    """The pictures' indices, those together that show the same, mirrored or not."""
    groups: list[list[int]] = []
    small: list[NDArray[np.float32]] = []
    for index in range(len(pictures)):
        image = pictures.load(index)
        seen, mirrored = _small(image), _small(ImageOps.mirror(image))
        alike = [
            group
            for group in groups
            if any(_same(small[other], seen) or _same(small[other], mirrored) for other in group)
        ]
        groups = [group for group in groups if group not in alike]
        groups.append([*(other for group in alike for other in group), index])
        small.append(seen)
    return groups


def _small(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.resize(SMALL, Image.Resampling.BOX), dtype=np.float32)


def _same(some: NDArray[np.float32], others: NDArray[np.float32]) -> bool:
    return float(np.abs(some - others).mean()) < SAME_LEVELS


def _warn_ofcopies(groups: Sequence[Sequence[int]], pictures: PictureSet) -> None:
    same = [" = ".join(pictures.pictures[index].key for index in group) for group in groups if len(group) > 1]
    if same:
        log.warning("Copies, perhaps mirrored, stay on one side of the split: %s", "; ".join(same))
