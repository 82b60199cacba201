"""Which pictures are kept out of training, and which of the others are trained on."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem
from imprint.pictures.likeness import same, small

log = logging.getLogger(__name__)


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
    _warn_of_copies(groups, pictures)
    groups.sort(key=lambda group: min(pictures.pictures[index].content for index in group))
    held_out = sorted(index for group in groups[-count:] for index in group)
    trained = [index for index in range(len(pictures)) if index not in held_out]
    return Split(pictures.subset(trained), pictures.subset(held_out))


def first(pictures: PictureSet, shots: int | None) -> PictureSet:
    """The first so many: fewer are a part of more. Raises ConfigError where there are fewer than that."""
    if shots is None or shots == len(pictures):
        return pictures
    if shots > len(pictures):
        remedy = f"there are only {len(pictures)} to train on. Give at most as many, or null for all."
        raise ConfigError([Problem("dataset.shots", shots, remedy)])
    return pictures.subset(range(shots))


def _too_many(different: int, all_of_them: int) -> str:
    those = f"{different} different pictures" if different < all_of_them else f"{all_of_them} pictures"
    if different == 1:
        return "there is only one picture (copies do not count). Give 0, or add pictures."
    return f"there are only {those}, and one must be left to train on. Give at most {different - 1}, or add pictures."


def copies(pictures: PictureSet) -> list[list[int]]:
    """The pictures' indices, those together that show the same, mirrored or not."""
    groups: list[list[int]] = []
    versions: list[NDArray[np.float32]] = []
    for index in range(len(pictures)):
        image = pictures.load(index)
        seen, mirrored = small(image), small(ImageOps.mirror(image))
        alike = [
            group
            for group in groups
            if any(same(versions[other], seen) or same(versions[other], mirrored) for other in group)
        ]
        groups = [group for group in groups if group not in alike]
        groups.append([*(other for group in alike for other in group), index])
        versions.append(seen)
    return groups


def _warn_of_copies(groups: Sequence[Sequence[int]], pictures: PictureSet) -> None:
    same = [" = ".join(pictures.pictures[index].key for index in group) for group in groups if len(group) > 1]
    if same:
        log.warning("Copies, perhaps mirrored, stay on one side of the split: %s", "; ".join(same))
