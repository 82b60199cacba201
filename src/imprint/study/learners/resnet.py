"""learners=resnet: a small ResNet that knows nothing before."""

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt
from pydantic import NonNegativeFloat, PositiveInt
from torch import nn
from transformers import ResNetConfig, ResNetForImageClassification

from imprint.kinds import of_kind
from imprint.study.learners.from_nothing import FromNothing


@of_kind("learner/resnet")
class ResNet(FromNothing):
    """
    widths   channels of its stages, each with one block of two convolutions
    """

    warmup = 0

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

    def network(self, classes: int) -> nn.Module:
        config = ResNetConfig(
            num_channels=3,
            embedding_size=self.widths[0],
            hidden_sizes=list(self.widths),
            depths=[1] * len(self.widths),
            layer_type="basic",
            num_labels=classes,
        )
        network: nn.Module = ResNetForImageClassification(config)
        return network
