"""learners=vit: a small vision transformer that knows nothing before."""

from typing import Annotated

from annotated_types import Ge, Gt
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

from imprint.kinds import of_kind
from imprint.study.learners.from_nothing import FromNothing


@of_kind("learner/vit")
class Vit(FromNothing):
    """
    patch    pixels of a side of what becomes one token
    width    of a token
    depth    blocks, each with `heads` of attention and a layer four times as wide
    """

    def __init__(
        self,
        *,
        patch: PositiveInt,
        width: PositiveInt,
        depth: PositiveInt,
        heads: PositiveInt,
        size: Annotated[int, Ge(16)],
        updates: PositiveInt,
        batch: PositiveInt,
        lr: Annotated[float, Gt(0)],
        warmup: NonNegativeInt,
        decay: NonNegativeFloat,
    ) -> None:
        if size % patch:
            raise ValueError(f"patch={patch}: it must divide size={size}")
        if width % heads:
            raise ValueError(f"heads={heads}: they must divide width={width}")
        if warmup >= updates:
            raise ValueError(f"warmup={warmup}: give fewer than updates={updates}")
        self.patch = patch
        self.width = width
        self.depth = depth
        self.heads = heads
        self.size = size
        self.updates = updates
        self.batch = batch
        self.lr = lr
        self.warmup = warmup
        self.decay = decay

    def network(self, classes: int) -> nn.Module:
        config = ViTConfig(
            image_size=self.size,
            patch_size=self.patch,
            hidden_size=self.width,
            num_hidden_layers=self.depth,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.width,
            num_labels=classes,
        )
        network: nn.Module = ViTForImageClassification(config)
        return network
