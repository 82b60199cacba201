"""Networks that know nothing before, and learn from what an arm has alone."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from imprint import rng
from imprint.study.examples import Example
from imprint.study.learners.base import Learned, Learner, Tools, weights_hash
from imprint.study.order import Training

TEST_BATCH = 256  # pictures at a time, which changes nothing but memory


class FromNothing(Learner):
    """All arms have the same initial weights, number of updates, and positions; the last weights are tested. Its
    classes say `network`, and have these settings:

    size     pixels of a side, to which pictures are cut and scaled
    updates  with `batch` examples each
    lr       of AdamW at most; it falls to 0 along a cosine
    warmup   updates in which it rises before
    decay    of its weights
    """

    gives = frozenset({"probabilities", "features"})

    gives = frozenset({"probabilities", "features"})

    size: int
    updates: int
    batch: int
    lr: float
    decay: float
    warmup: int

    @abstractmethod
    def network(self, classes: int) -> nn.Module:
        """With random weights: its output has `logits`, which its `classifier` computes."""

    def learn(self, training: Training, tools: Tools) -> Learned:
        with rng.named_layers(*training.name, "initial weights"):
            network = self.network(len(training.classes))
        network.to(tools.device).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.lr, weight_decay=self.decay)
        rate = self._rate(optimizer)
        pixels: dict[str, Tensor] = {}
        with torch.enable_grad():
            for update in range(self.updates):
                seen = [training.at(update * self.batch + place) for place in range(self.batch)]
                pictures_B3HW = torch.stack([self._pixels(one.example, pixels) for one in seen])
                pictures_B3HW, targets_BK = training.shown(seen, pictures_B3HW, update)
                logits_BK = network(_centred(pictures_B3HW).to(tools.device)).logits
                loss = functional.cross_entropy(logits_BK, targets_BK.to(tools.device))
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                rate.step()
        return _Trained(self, network.eval(), tools.device)

    def pixels(self, example: Example) -> Tensor:
        """(3, size, size), from 0 to 1."""
        cut = ImageOps.fit(example.load().convert("RGB"), (self.size, self.size), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(cut, dtype=np.float32) / 255).movedim(2, 0)

    def _pixels(self, example: Example, known: dict[str, Tensor]) -> Tensor:
        if example.content not in known:
            known[example.content] = self.pixels(example)
        return known[example.content]

    def _rate(self, optimizer: torch.optim.Optimizer) -> LRScheduler:
        falling = CosineAnnealingLR(optimizer, T_max=self.updates - self.warmup)
        if not self.warmup:
            return falling
        rising = LinearLR(optimizer, start_factor=1 / self.warmup, total_iters=self.warmup)
        return SequentialLR(optimizer, [rising, falling], [self.warmup])


class _Trained:
    choices: Mapping[str, float] = {}

    def __init__(self, learner: FromNothing, network: nn.Module, device: torch.device) -> None:
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
        decided_by: list[Tensor] = []
        hook = self._network.get_submodule("classifier").register_forward_pre_hook(
            lambda _, inputs: decided_by.append(inputs[0].flatten(1))
        )
        try:
            for first in range(0, len(examples), TEST_BATCH):
                batch = [self._learner.pixels(example) for example in examples[first : first + TEST_BATCH]]
                logits_BK = self._network(_centred(torch.stack(batch)).to(self._device)).logits
                yield logits_BK.double().cpu(), decided_by.pop().double().cpu()
        finally:
            hook.remove()


def _centred(pictures_B3HW: Tensor) -> Tensor:
    return 2 * pictures_B3HW - 1
