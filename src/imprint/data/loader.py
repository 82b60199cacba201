"""Which positions of the stream a process reads, from whichever step it starts."""

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Sampler

from imprint.data.stream import Sample, TrainingStream, collate
from imprint.errors import ConfigError, Problem


def micro_batch_size(*, batch_size: int, world_size: int, accumulation: int) -> int:
    """Samples per process and forward pass. Raises ConfigError if the global batch leaves a remainder."""
    parts = world_size * accumulation
    if batch_size % parts:
        above = (batch_size // parts + 1) * parts
        remedy = (
            f"cannot be shared evenly by {world_size} devices x {accumulation} accumulated batches. "
            f"Choose a multiple of {parts}, such as {above}, or fewer devices or accumulated batches."
        )
        raise ConfigError([Problem("hparams.batch_size", batch_size, remedy)])
    return batch_size // parts


class PositionSampler(Sampler[list[int]]):
    """Micro-batches of positions for one process, for the steps first <= step < last.

    All processes together read the positions step * batch_size up to (step + 1) * batch_size in each step.
    """

    def __init__(
        self, *, steps: tuple[int, int], batch_size: int, world_size: int, rank: int, accumulation: int
    ) -> None:
        assert 0 <= rank < world_size
        assert 0 <= steps[0] <= steps[1]
        self.steps = range(*steps)
        self.batch_size = batch_size
        self.world_size = world_size
        self.rank = rank
        self.accumulation = accumulation
        self.size = micro_batch_size(batch_size=batch_size, world_size=world_size, accumulation=accumulation)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            for part in range(self.accumulation):
                first = step * self.batch_size + (part * self.world_size + self.rank) * self.size
                yield list(range(first, first + self.size))

    def __len__(self) -> int:
        """As many as the whole run has: a trainer that goes on counts those before as fetched."""
        return self.steps.stop * self.accumulation


def make_loader(stream: TrainingStream, sampler: PositionSampler, *, workers: int) -> DataLoader[list[Sample]]:
    """Yields a Batch per micro-batch. Lightning must leave its sampler: use_distributed_sampler=False."""
    return DataLoader(
        stream,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
