"""learners=tuned: an encoder that is tuned by contrast, as PODS (Sundaram et al., 2025, arXiv 2412.16156) does."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from PIL import Image
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from imprint import rng
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.encoders.sight import PROJECTIONS, Sight
from imprint.evaluation.encoders.transformer import TransformerEncoder
from imprint.evaluation.metrics.base import normalised
from imprint.evaluation.records import Needs
from imprint.kinds import of_kind
from imprint.study.examples import Example
from imprint.study.learners.base import Learned, Learner, Tools, weights_hash
from imprint.study.learners.contrast import info_nce
from imprint.study.order import Training

TOGETHER = 64  # pictures at a time, which changes nothing but memory
KEPT = 4000  # pictures that are not read again, of 150 kB at 224 pixels
SETTLED_BY = 64  # positions of each class by which a threshold is set


@of_kind("learner/tuned")
class Tuned(Learner):
    """LoRA in the attention of an encoder, by InfoNCE. Pictures come in pairs, which are two turns of a class: with a
    share of .5 an anchor is a photo, and its positive another picture of the arm. Without other pictures both are
    photos. All of other classes are negatives.

    A test picture is then as like a class as it is like the nearest of its photos (or their mean), as the encoder's
    usual features have it. For "others", who are like nothing, a threshold is set by what was learned from.

    encoder      a role among the encoders: a CLIP or a vision transformer
    rank, alpha  of LoRA; what it adds is scaled by alpha / rank
    dropout      of its inputs
    patches      learn from the mean of the patches beside the class token
    temperature  by which cosines are divided
    updates      with `batch` pairs each: the classes take turns. 0: the encoder as it is
    lr           of Adam, constant
    head         nearest, a class is its nearest photo; mean, the mean of its photos
    """

    gives = frozenset({"probabilities", "features"})

    def __init__(
        self,
        *,
        encoder: str,
        rank: PositiveInt,
        alpha: PositiveFloat,
        dropout: Annotated[float, Ge(0), Lt(1)],
        patches: bool,
        temperature: PositiveFloat,
        updates: NonNegativeInt,
        batch: Annotated[int, Ge(2)],
        lr: Annotated[float, Gt(0)],
        head: Literal["nearest", "mean"],
    ) -> None:
        self.encoder = encoder
        self.rank = rank
        self.alpha = alpha
        self.dropout = dropout
        self.patches = patches
        self.temperature = temperature
        self.updates = updates
        self.batch = batch
        self.lr = lr
        self.head = head

    @property
    def needs(self) -> Needs:
        return Needs(sets=(), untuned=(), encoders=(self.encoder,), photos=0)

    def problems(self, encoders: Mapping[str, Encoder], key: str) -> Iterator[str]:
        encoder = encoders.get(self.encoder)
        if encoder is not None and not isinstance(encoder, TransformerEncoder):
            yield (
                f"{key}.encoder={self.encoder}: {encoder.name} cannot be tuned. Give a CLIP or a vision transformer in "
                f"transformers' format: /encoder/dinov2_s@encoders.{self.encoder}."
            )

    def learn(self, training: Training, tools: Tools) -> Learned:
        from peft import LoraConfig, inject_adapter_in_model

        encoder = tools.encoders[self.encoder]
        assert isinstance(encoder, TransformerEncoder)  # or `problems` has said so
        seeing = Seeing(encoder, tools.device)
        with rng.named_layers(*training.name, "initial weights"):
            config = LoraConfig(
                r=self.rank,
                lora_alpha=self.alpha,
                lora_dropout=self.dropout,
                target_modules=list(PROJECTIONS),
            )
            inject_adapter_in_model(config, seeing.sight)
        seeing.sight.to(tools.device)
        learning = [weight for weight in seeing.sight.parameters() if weight.requires_grad]
        # Betas as PODS has them.
        optimizer = torch.optim.Adam(learning, lr=self.lr, betas=(0.5, 0.999))
        of_classes_K = torch.tensor([float(bool(label)) for label in training.classes])
        seeing.sight.train()
        with torch.enable_grad():
            for update in range(self.updates):
                seen = [training.at(place) for place in self._positions(update, len(training.classes))]
                levels_B3HW = torch.stack([seeing.levels(one.example) for one in seen])
                levels_B3HW, targets_BK = training.shown(seen, levels_B3HW, update)
                with rng.named_layers(*training.name, "dropout", update, device=tools.device):
                    features_BD = seeing.features(levels_B3HW, patches=self.patches)
                # "Others" have no likeness of their own.
                targets_BK = (targets_BK * of_classes_K).to(features_BD)
                optimizer.zero_grad()
                torch.autograd.backward(info_nce(features_BD, targets_BK, temperature=self.temperature))
                optimizer.step()
        seeing.sight.eval()
        return _Tuned(self, seeing, learning, training)

    def _positions(self, update: int, classes: int) -> list[int]:
        """Of a batch: anchors, then their positives, which are the next turn of the same class."""
        pairs = range(update * self.batch, (update + 1) * self.batch)
        first = [2 * (pair // classes) * classes + pair % classes for pair in pairs]
        return [*first, *(position + classes for position in first)]


class Seeing:
    """A copy of what an encoder sees with."""

    def __init__(self, encoder: TransformerEncoder, device: torch.device) -> None:
        encoder.to(device)
        self.sight: Sight = encoder.sight()
        self._device = device
        self._framed = encoder.transform.framed
        scale = partial(torch.tensor, dtype=torch.float32)
        self._mean_311, self._std_311 = (
            scale(values)[:, None, None] for values in (encoder.transform.mean, encoder.transform.std)
        )
        self._kept: dict[str, Image.Image] = {}

    def levels(self, example: Example) -> Tensor:
        """(3, H, W), from 0 to 1, in the encoder's size."""
        picture = self._kept.get(example.content) or self._framed(example.load())
        if len(self._kept) < KEPT:
            self._kept[example.content] = picture
        return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).movedim(2, 0)

    def features(self, levels_B3HW: Tensor, *, patches: bool) -> Tensor:
        pixels_B3HW = ((levels_B3HW - self._mean_311) / self._std_311).to(self._device)
        return self.sight.with_patches(pixels_B3HW) if patches else self.sight(pixels_B3HW)

    @torch.no_grad()
    def of(self, examples: Sequence[Example]) -> Tensor:
        """(N, D), the encoder's usual features, on the CPU."""
        batches = (examples[first : first + TOGETHER] for first in range(0, len(examples), TOGETHER))
        found = [self.features(torch.stack([self.levels(one) for one in batch]), patches=False) for batch in batches]
        return torch.cat(found).float().cpu()


class _Tuned:
    def __init__(self, learner: Tuned, seeing: Seeing, learned: Sequence[Tensor], training: Training) -> None:
        self._learner = learner
        self._seeing = seeing
        self._learned = learned
        self._classes = training.classes
        self._photos = {label: [*pool.photos] for label, pool in training.pools.items() if label}
        self._known = {label: self._unit(photos) for label, photos in self._photos.items()}
        # Of "others". Where there are none, nothing is compared with it.
        self._threshold = self._between(training) if "" in training.classes else 0.0

    @property
    def choices(self) -> Mapping[str, float]:
        return {"threshold": self._threshold} if "" in self._classes else {}

    @property
    def weights(self) -> str:
        return weights_hash([*self._learned, *self._known.values()])

    def features(self, examples: Sequence[Example]) -> Tensor:
        return self._seeing.of(examples)

    def probabilities(self, examples: Sequence[Example]) -> Tensor:
        unit_ND = self._unit(examples)
        like = [
            self._like(unit_ND, label) if label else torch.full((len(examples),), self._threshold, dtype=torch.double)
            for label in self._classes
        ]
        return (torch.stack(like, dim=1) / self._learner.temperature).softmax(dim=1)

    def _like(self, unit_ND: Tensor, label: str) -> Tensor:
        known_MD = self._known[label]
        if self._learner.head == "mean":
            known_MD = normalised(known_MD.mean(dim=0, keepdim=True), "learners.tuned")
        return (unit_ND @ known_MD.T).amax(dim=1)

    def _between(self, training: Training) -> float:
        """Half-way between how like its class what was learned from is, and how like any class the others are. A photo
        is not compared with itself."""
        first = training.first(SETTLED_BY * len(training.classes))
        seen = {(one.example.content, one.label): one for one in first}.values()
        own, others = [], []
        for one, unit_D in zip(seen, self._unit([one.example for one in seen]), strict=True):
            if not one.label:
                others.append(max(float(self._like(unit_D[None], label)) for label in self._known))
                continue
            rest = [
                place for place, photo in enumerate(self._photos[one.label]) if photo.content != one.example.content
            ]
            if rest:
                own.append(float((self._known[one.label][rest] @ unit_D).max()))
        return (_mean(own) + _mean(others)) / 2

    def _unit(self, examples: Sequence[Example]) -> Tensor:
        return normalised(self._seeing.of(examples), "learners.tuned")


def _mean(cosines: Sequence[float]) -> float:
    """Of one photo alone, which is like itself: 1."""
    return sum(cosines) / len(cosines) if cosines else 1.0
