"""Pictures as an encoder that stays as it is sees them: augmented, and named for the cache of features."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from imprint import rng
from imprint.evaluation.fingerprints import fingerprint
from imprint.study.augmentation import Augmentation
from imprint.study.order import Name, Seen, Training

TOGETHER = 64  # pictures among which one finds its partner, where they are mixed; as many as the networks' batches have


class View(NamedTuple):
    """An example as it is seen at its position. `content` names it for the cache of features."""

    content: str
    load: Callable[[], Image.Image]


def views(seen: Sequence[Seen], training: Training) -> tuple[list[View], Tensor]:
    """With (N, K) their shares of classes."""
    shown = list(_shown(seen, training))
    targets_NK = torch.stack([training.target(one) for one in seen])
    augmentation = training.augmentation
    if augmentation is None or not augmentation.mixes:
        return shown, targets_NK
    mixed = [
        _Mixed(seen[first:until], shown[first:until], targets_NK[first:until], augmentation, (*training.name, first))
        for first, until in ((first, first + TOGETHER) for first in range(0, len(shown), TOGETHER))
    ]
    return [view for batch in mixed for view in batch.views], torch.cat([batch.targets_BK for batch in mixed])


def _shown(seen: Sequence[Seen], training: Training) -> Iterator[View]:
    """How a picture looks for the n-th time depends on itself, n and the seed: it is the same in all arms, and its
    features are computed once."""
    augmentation = training.augmentation
    times: Counter[str] = Counter()
    for example, _ in seen:
        if augmentation is None:
            yield View(example.content, example.load)
            continue
        name = ("study", training.seed, "view", example.content, times[example.content])
        times[example.content] += 1
        yield View(_hash(_done(augmentation), name), partial(_augmented, example.load, augmentation, name))


class _Mixed:
    """A batch of views that are mixed with one another: squares, as large as its first picture, for they need one size.
    They are drawn where their features are not known."""

    def __init__(
        self, seen: Sequence[Seen], shown: Sequence[View], targets_BK: Tensor, augmentation: Augmentation, name: Name
    ) -> None:
        self._shown = shown
        self._augmentation = augmentation
        self._name = ("mixing", *name)
        self._side = min(seen[0].example.load().size)
        # Who is mixed with whom, and by how much, depends on no pixel.
        _, self.targets_BK = self._mixed(torch.zeros(len(shown), 1, self._side, self._side), targets_BK)
        self._no_targets = torch.zeros_like(targets_BK)

    @property
    def views(self) -> list[View]:
        content = _hash(_done(self._augmentation), self._name, [view.content for view in self._shown])
        return [View(f"{content}-{place}", partial(self._picture, place)) for place in range(len(self._shown))]

    def _picture(self, place: int) -> Image.Image:
        return _as_picture(self._pictures[place])

    @cached_property
    def _pictures(self) -> Tensor:
        squares = [
            _as_levels(ImageOps.fit(view.load(), (self._side, self._side), Image.Resampling.BICUBIC))
            for view in self._shown
        ]
        return self._mixed(torch.stack(squares), self._no_targets)[0]

    def _mixed(self, pictures: Tensor, targets_BK: Tensor) -> tuple[Tensor, Tensor]:
        return self._augmentation.mixed(pictures, targets_BK, rng.generator(*self._name))


def _augmented(load: Callable[[], Image.Image], augmentation: Augmentation, name: Name) -> Image.Image:
    return _as_picture(augmentation(_as_levels(load())[None], rng.generator(*name))[0])


def _as_levels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255).movedim(2, 0)


def _as_picture(levels_3HW: Tensor) -> Image.Image:
    return Image.fromarray((levels_3HW.movedim(0, 2) * 255).round().to(torch.uint8).numpy())


def _done(augmentation: Augmentation) -> str:
    return fingerprint(augmentation.identity())


def _hash(*facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
