"""Which example a learner sees at which position: the same order for all arms, so that they differ by pictures alone.

Classes take turns, so each has as many positions in any number of them. Of a class's positions every so many, by the
arm's share, belong to other pictures; the rest to photos. A photo's position is the same in all arms: where one arm has
another picture in its place, the order of the others does not move.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from imprint import rng
from imprint.study.augmentation import Augmentation
from imprint.study.examples import Example

Name = tuple[str | int, ...]


class Pool(NamedTuple):
    """What a class is learned from."""

    photos: Sequence[Example]
    pictures: Sequence[Example]


class Seen(NamedTuple):
    """An example at a position."""

    example: Example
    label: str


@dataclass(frozen=True, kw_only=True)
class Training:
    """A question's classes with what they are learned from."""

    pools: Mapping[str, Pool]
    answers: Mapping[str, str]  # the class that a label of a row means
    share: float
    augmentation: Augmentation | None
    seed: int
    question: str

    @property
    def name(self) -> Name:
        """Of its random numbers. It has nothing of the arm or the shots: equal names give equal initial weights, order
        and augmentation."""
        return "study", self.seed, self.question

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.pools)

    def at(self, position: int) -> Seen:
        label = self.classes[position % len(self.pools)]
        turn = position // len(self.pools)
        pool = self.pools[label]
        before, after = int(turn * self.share), int((turn + 1) * self.share)
        if pool.pictures and after > before:
            example = pool.pictures[self._turn(len(pool.pictures), before, label, "pictures")]
        else:
            example = pool.photos[self._turn(len(pool.photos), turn, label, "photos")]
        return Seen(example, label)

    def first(self, count: int) -> list[Seen]:
        return [self.at(position) for position in range(count)]

    def target(self, seen: Seen) -> Tensor:
        """(K,), shares that sum to 1: soft for a picture that is of several. Labels that have no part in the question
        have none in its answer."""
        shares_K = torch.zeros(len(self.classes))
        for label, share in seen.example.labels.items():
            answer = self.answers.get(label)
            if answer is not None:
                shares_K[self.classes.index(answer)] += share
        if not shares_K.any():  # its labels are in other words than the subjects'
            shares_K[self.classes.index(seen.label)] = 1
        return shares_K / shares_K.sum()

    def shown(self, seen: Sequence[Seen], pictures_B3HW: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """As a learner sees the pictures of a batch of this number: augmented, with (B, K) shares of classes."""
        targets_BK = torch.stack([self.target(one) for one in seen])
        if self.augmentation is None:
            return pictures_B3HW, targets_BK
        changed_B3HW = self.augmentation(pictures_B3HW, rng.generator(*self.name, "augmentation", batch))
        return self.augmentation.mixed(changed_B3HW, targets_BK, rng.generator(*self.name, "mixing", batch))

    def folds(self, most: int) -> Iterator[tuple["Training", list[Seen]]]:
        """The training without some photos, their children, and these photos: to choose settings by. None where a
        subject has a single photo."""
        numbers = {photo.number for pool in self.pools.values() for photo in pool.photos}
        count = min(most, len(numbers))
        for fold in range(count if len(numbers) > 1 else 0):
            pools, out = {}, []
            for label, pool in self.pools.items():
                left_out = [photo for photo in pool.photos if photo.number % count == fold]
                out += [Seen(photo, label) for photo in left_out]
                pools[label] = pool._replace(photos=[photo for photo in pool.photos if photo.number % count != fold])
            gone = {seen.example.key for seen in out}
            pools = {
                label: pool._replace(pictures=[one for one in pool.pictures if one.parent not in gone])
                for label, pool in pools.items()
            }
            yield replace(self, pools=pools), out

    def _turn(self, count: int, index: int, label: str, purpose: str) -> int:
        """All have their turn before one comes again."""
        return rng.permutation(count, *self.name, "order", purpose, label, index // count)[index % count]
