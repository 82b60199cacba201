"""learners=resnet: a small ResNet that knows nothing before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt
from PIL import Image, ImageOps
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional
from transformers import ResNetConfig, ResNetForImageClassification

from imprint import rng
from imprint.kinds import of_kind
from imprint.study.examples import Example
from imprint.study.learners.base import Learned, Learner, Tools, weights_hash
from imprint.study.order import Training

TEST_BATCH = 256  # pictures at a time, which changes nothing but memory


@of_kind("learner/resnet")
class ResNet(Learner):
    """All arms have the same initial weights, number of updates, and positions; the last weights are tested.

    widths   channels of its stages, each with one block of two convolutions
    size     pixels of a side, to which pictures are cut and scaled
    updates  with `batch` examples each
    lr       of AdamW at the beginning; it falls to 0 along a cosine
    decay    of its weights
    """

    gives = frozenset({"probabilities", "features"})

    def __init__(
        self,
        *,
        widths: Sequence[PositiveInt],
        size: Annotated[int, Ge(16)],
        updates: PositiveInt,
        batch: PositiveInt,
        lr: Annotated[float, Gt(0)],
        decay: NonNegativeFloat,
    ) -> None:
        if not widths:
            raise ValueError("widths: give at least one")
        self.widths = widths
        self.size = size
        self.updates = updates
        self.batch = batch
        self.lr = lr
        self.decay = decay

    def learn(self, training: Training, tools: Tools) -> Learned:
        network = self._initial(training).to(tools.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.lr, weight_decay=self.decay)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.updates)
        pixels: dict[str, Tensor] = {}
        network.train()
        with torch.enable_grad():
            for update in range(self.updates):
                seen = [training.at(update * self.batch + place) for place in range(self.batch)]
                pictures_B3HW = torch.stack([self._pixels(one.example, pixels) for one in seen])
                if training.augmentation is not None:
                    generator = rng.generator(*training.name, "augmentation", update)
                    pictures_B3HW = training.augmentation(pictures_B3HW, generator)
                targets_BK = torch.stack([training.target(one) for one in seen])
                logits_BK = network(_centred(pictures_B3HW).to(tools.device)).logits
                loss = functional.cross_entropy(logits_BK, targets_BK.to(tools.device))
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                falling.step()
        return _Trained(self, network.eval(), tools.device)

    def _initial(self, training: Training) -> nn.Module:
        config = ResNetConfig(
            num_channels=3,
            embedding_size=self.widths[0],
            hidden_sizes=list(self.widths),
            depths=[1] * len(self.widths),
            layer_type="basic",
            num_labels=len(training.classes),
        )
        with torch.random.fork_rng(devices=[]):
            rng.seed_layers(rng.seed_of(*training.name, "initial weights"), torch.device("cpu"))
            network: nn.Module = ResNetForImageClassification(config)
        return network

    def _pixels(self, example: Example, known: dict[str, Tensor]) -> Tensor:
        if example.content not in known:
            known[example.content] = self.pixels(example)
        return known[example.content]

    def pixels(self, example: Example) -> Tensor:
        """(3, size, size), from 0 to 1."""
        cut = ImageOps.fit(example.load().convert("RGB"), (self.size, self.size), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(cut, dtype=np.float32) / 255).movedim(2, 0)


class _Trained:
    choices: Mapping[str, float] = {}

    def __init__(self, learner: ResNet, network: nn.Module, device: torch.device) -> None:
        self._learner = learner
        self._network = network
        self._device = device

    @property
    def weights(self) -> str:
        return weights_hash(self._network.state_dict().values())

    def probabilities(self, examples: Sequence[Example]) -> Tensor:
        return torch.cat([logits_BK.softmax(dim=1) for logits_BK, _ in self._outputs(examples)])

    def features(self, examples: Sequence[Example]) -> Tensor:
        """What its last layer decides by."""
        return torch.cat([features_BD.float() for _, features_BD in self._outputs(examples)])

    @torch.no_grad()
    def _outputs(self, examples: Sequence[Example]) -> Iterator[tuple[Tensor, Tensor]]:
        """Logits, and what they are computed from, in double on the CPU."""
        for first in range(0, len(examples), TEST_BATCH):
            batch = [self._learner.pixels(example) for example in examples[first : first + TEST_BATCH]]
            decided_by: list[Tensor] = []
            hook = self._network.get_submodule("classifier").register_forward_pre_hook(
                lambda _, inputs, seen=decided_by: seen.append(inputs[0].flatten(1))
            )
            logits_BK = self._network(_centred(torch.stack(batch)).to(self._device)).logits
            hook.remove()
            yield logits_BK.double().cpu(), decided_by[0].double().cpu()


def _centred(pictures_B3HW: Tensor) -> Tensor:
    return 2 * pictures_B3HW - 1
