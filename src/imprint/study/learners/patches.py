"""learners=patches: where in a picture is who? A linear classifier on the patches of a vision transformer that stays as
it is, as DINOv2 (Oquab et al., 2023) is judged by. Few masks are enough for it, on a CPU, too."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import torch
from annotated_types import Ge, Le
from PIL import Image
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from imprint import rng
from imprint.evaluation.linear_probe import LinearProbe, fit_targets
from imprint.evaluation.records import Needs
from imprint.kinds import of_kind
from imprint.study.augmentation import Augmentation
from imprint.study.examples import Example
from imprint.study.learners.base import Learned, Learner, Tools, weights_hash
from imprint.study.order import Name, Seen, Training

NOBODY = ""  # the class of patches that are nobody's; no subject is called so
TOGETHER = 64  # pictures at a time, which changes nothing but memory


@of_kind("learner/patches")
class Patches(Learner):
    """
    encoder    a role among the encoders: a vision transformer. It sees whole pictures, stretched to a square
    positions  how many examples of each class it is fitted to, repeated or augmented where there are fewer
    decay      how much weights are held back
    size       pixels of a side of the maps, to which what is told of patches is drawn out
    """

    gives = frozenset({"maps"})

    def __init__(
        self,
        *,
        encoder: str,
        positions: PositiveInt,
        decay: PositiveFloat,
        size: Annotated[int, Ge(8), Le(4096)],
    ) -> None:
        self.encoder = encoder
        self.positions = positions
        self.decay = decay
        self.size = size

    @property
    def needs(self) -> Needs:
        return Needs(sets=(), untuned=(), encoders=(self.encoder,), photos=0, sides=("patches",))

    def learn(self, training: Training, tools: Tools) -> Learned:
        often = Counter(_views(training.first(self.positions * len(training.classes)), training))
        views = list(often)
        features_NHWD = self.encoded(tools, views, kept=False)
        rows, columns = features_NHWD.shape[1:3]
        targets_NHWK = torch.stack([_targets(view, training, rows, columns) for view in views])
        shares_N = torch.tensor([often[view] for view in views], dtype=torch.double)
        shares_M = (shares_N / shares_N.sum() / (rows * columns)).repeat_interleave(rows * columns)
        probe = fit_targets(
            features_NHWD.flatten(0, 2),
            targets_NHWK.flatten(0, 2).double(),
            shares_M,
            (NOBODY, *training.classes),
            decay=self.decay,
        )
        return _Fitted(self, probe, tools)

    def encoded(self, tools: Tools, pictures: Sequence["Example | View"], *, kept: bool) -> Tensor:
        """(N, H, W, D), of length 1. Photos to test on, which all cells see, are `kept` on disk."""
        return functional.normalize(tools.features.patches(self.encoder, pictures, kept=kept), dim=-1)


class View(NamedTuple):
    """An example as it is seen at its position. `name` is of its random numbers; None where nothing is done to it."""

    content: str
    example: Example
    label: str
    augmentation: Augmentation | None
    name: Name

    def __hash__(self) -> int:
        return hash((self.content, self.label))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and (self.content, self.label) == (other.content, other.label)

    def load(self) -> Image.Image:
        picture = self.example.load().convert("RGB")
        if self.augmentation is None:
            return picture
        changed_13HW = self.augmentation(_levels(picture)[None], rng.generator(*self.name))
        return Image.fromarray((changed_13HW[0].movedim(0, 2) * 255).round().to(torch.uint8).numpy())

    def mask(self) -> Tensor:
        """(1, H, W), of the same size as the picture: from 0 to 1 where the subject is."""
        assert self.example.marking is not None, "the task leaves out what has none"
        mask_1HW = _levels(self.example.marking.load())
        if self.augmentation is None:
            return mask_1HW
        return self.augmentation.moved(mask_1HW[None], rng.generator(*self.name))[0]


def _views(seen: Sequence[Seen], training: Training) -> Iterator[View]:
    """How a picture looks for the n-th time depends on itself, n and the seed: it is the same in all arms."""
    augmentation = training.augmentation
    times: Counter[str] = Counter()
    for example, label in seen:
        number = times[example.content] if augmentation is not None else 0
        times[example.content] += 1
        name = ("study", training.seed, "view", example.content, number)
        content = hashlib.sha256(json.dumps(name).encode()).hexdigest()
        yield View(content, example, label, augmentation, name)


def _targets(view: View, training: Training, rows: int, columns: int) -> Tensor:
    """(H, W, K), shares of each patch, whose first class is nobody."""
    own_HW = functional.interpolate(view.mask()[None], (rows, columns), mode="area")[0, 0]
    targets_HWK = torch.zeros(rows, columns, 1 + len(training.classes))
    targets_HWK[..., 0] = 1 - own_HW
    targets_HWK[..., 1 + training.classes.index(view.label)] = own_HW
    return targets_HWK


def _levels(picture: Image.Image) -> Tensor:
    """(C, H, W), from 0 to 1."""
    levels = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)
    return levels[None] if levels.ndim == 2 else levels.movedim(2, 0)


class _Fitted:
    def __init__(self, learner: Patches, probe: LinearProbe, tools: Tools) -> None:
        self.choices: Mapping[str, float] = {}
        self._learner = learner
        self._probe = probe
        self._tools = tools

    @property
    def weights(self) -> str:
        return weights_hash([self._probe.weight_DK, self._probe.bias_K])

    def probabilities(self, examples: Sequence[Example]) -> Tensor:
        raise NotImplementedError("it tells pixels apart, and not pictures")

    def maps(self, examples: Sequence[Example]) -> Tensor:
        batches = (examples[first : first + TOGETHER] for first in range(0, len(examples), TOGETHER))
        return torch.cat([self._maps(batch) for batch in batches])

    def _maps(self, examples: Sequence[Example]) -> Tensor:
        features_NHWD = self._learner.encoded(self._tools, examples, kept=True)
        logits_NHWK = features_NHWD.double() @ self._probe.weight_DK + self._probe.bias_K
        drawn_NKSS = functional.interpolate(
            logits_NHWK.movedim(3, 1), (self._learner.size,) * 2, mode="bilinear", align_corners=False
        )
        return drawn_NKSS.argmax(dim=1).to(torch.uint8)
