"""What a training is fed with, from which position of the stream on."""

import logging
from dataclasses import dataclass

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from imprint.data.loader import PositionSampler, make_loader
from imprint.data.stream import TrainingStream
from imprint.models.base import Model
from imprint.training.latents import LatentCache

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Feed:
    stream: TrainingStream
    steps: int
    batch_size: int
    accumulation: int
    workers: int
    resolution: int
    cache: bool

    def loader(self, model: Model, latents: LatentCache, *, trainer: pl.Trainer, device: torch.device) -> DataLoader:
        """Batches from the trainer's step on, for this process. Fills `latents` first if they can be kept: what
        is there already stays."""
        stream = self.stream
        if self.cache and (reason := stream.why_not_cacheable):
            log.info("Latents are not kept: %s.", reason)
        elif self.cache:
            missing = (view for view in stream.views() if view.key not in latents)
            latents.fill(model, ((view.key, stream.pixels_of(view)) for view in missing), device)
            stream = stream.without_pixels()
        sampler = PositionSampler(
            steps=(trainer.global_step, self.steps),
            batch_size=self.batch_size,
            world_size=trainer.world_size,
            rank=trainer.global_rank,
            accumulation=self.accumulation,
        )
        return make_loader(stream, sampler, workers=self.workers)
