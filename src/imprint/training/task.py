"""What a training is made of: its data, the untuned model as a teacher where the prior needs it, and all the rest."""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from imprint.data.loader import PositionSampler, make_loader
from imprint.data.stream import TrainingStream
from imprint.methods.adapter_layers import without_adapters
from imprint.methods.base import Method
from imprint.models.base import Model
from imprint.models.checkpoint.layout import AUTOENCODER
from imprint.models.roles import DENOISER
from imprint.models.sharding import shard
from imprint.models.training_adapter import TrainingAdapter
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.training.encoding import CaptionCache, LatentCache
from imprint.training.hparams import HParams
from imprint.types import Batch, Concept, Conditioning, ParamGroup

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """The training data, from any position of its stream on."""

    stream: TrainingStream
    steps: int
    batch_size: int
    accumulation: int
    workers: int
    resolution: int
    cache: bool

    def loader(self, model: Model, latents: LatentCache, *, trainer: pl.Trainer, device: torch.device) -> DataLoader:
        """Batches from the trainer's step on, for this process. First adds to `latents` what is missing there, if they
        can be kept."""
        stream = self.stream
        if self.cache and (reason := stream.why_not_cacheable):
            log.info("Latents are not kept: %s.", reason)
        elif self.cache:
            self.fill(latents, model, device)
            stream = stream.without_pixels()
        sampler = PositionSampler(
            steps=(trainer.global_step, self.steps),
            batch_size=self.batch_size,
            world_size=trainer.world_size,
            rank=trainer.global_rank,
            accumulation=self.accumulation,
        )
        return make_loader(stream, sampler, workers=self.workers)

    def fill(self, latents: LatentCache, model: Model, device: torch.device) -> None:
        """With those of the views that are missing there."""
        stream = self.stream
        if missing := [view for view in stream.views() if view.key not in latents]:
            with model.residency.needed({AUTOENCODER}):
                latents.fill(model, ((view.key, stream.pixels_of(view)) for view in missing), device)

    def captions(self) -> list[str]:
        """Those of all samples."""
        return self.stream.captions(range(self.steps * self.batch_size))


class Teacher(nn.Module):
    """Makes the untuned model's prediction the target of prior samples, with the denoiser as it is without a method's
    adapters and the embeddings of the class prompts, both taken before anything learns."""

    def __init__(self, model: Model, prompts: Sequence[str], captions: CaptionCache) -> None:
        """`captions` may hold what the untuned text encoders made of the `prompts`."""
        super().__init__()
        self.denoiser: nn.Module | None = model.frozen_denoiser()  # None: the model's own, without its adapters
        self._captions = captions
        self._captions.condition(model, prompts)

    def keep(self, learning: Sequence[nn.Parameter]) -> None:
        """Copies of the weights that are about to learn. The others are those of the model: where a method learns
        beside them, there is no second network in memory."""
        ids = {id(weight) for weight in learning}
        assert self.denoiser is not None
        for name, weight in list(self.denoiser.named_parameters()):
            if id(weight) in ids:
                parent, _, own = name.rpartition(".")
                copied = nn.Parameter(weight.detach().clone(), requires_grad=False)
                self.denoiser.get_submodule(parent).register_parameter(own, copied)

    def put_around(self, adapter: TrainingAdapter) -> None:
        """The adapter is in effect in the untuned model, too."""
        assert self.denoiser is not None
        adapter.put_around(self.denoiser)

    def shard(self, model: Model, mesh: DeviceMesh) -> None:
        """Shares the untuned network between processes as the model's, which is to be shared after it. Where none of
        its own weights learn, it is given up: its weights are the model's, which would have to be shared twice."""
        assert self.denoiser is not None
        own = {id(weight) for weight in model.roles[DENOISER].parameters()}
        if all(id(weight) in own for weight in self.denoiser.parameters()):
            self.denoiser = None
            return
        for module in self.denoiser.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                if id(weight) in own:  # the model's is not to move to the device with this one
                    setattr(module, name, nn.Parameter(weight.detach(), requires_grad=False))
        shard(self.denoiser, mesh, model=self.denoiser)

    @torch.no_grad()
    def correct(
        self, model: Model, target_BCHW: Tensor, noisy_BCHW: Tensor, t_B: Tensor, batch: Batch, *, beside: Conditioning
    ) -> Tensor:
        """`target_BCHW` with the prior samples' part replaced by what the untuned model predicts there. `beside`: what
        the denoiser is told of all samples beside their captions."""
        if not batch.priors:
            return target_BCHW
        first = len(batch.ids) - batch.priors
        conditioning = {
            **self._captions.condition(model, batch.captions[first:]),
            **{name: value[first:] for name, value in beside.items()},
        }
        own = model.roles[DENOISER]
        with without_adapters(own) if self.denoiser is None else nullcontext():
            prediction_BCHW = model.denoise_with(self.denoiser or own, noisy_BCHW[first:], t_B[first:], conditioning)
        return torch.cat([target_BCHW[:first], prediction_BCHW.to(target_BCHW.dtype)])


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """All that a training needs beside the model."""

    concepts: Sequence[Concept]
    method: Method
    groups: Sequence[ParamGroup]
    objective: NoisePrediction
    prior_weight: float
    teacher: Teacher | None  # set if the untuned model's prediction is the prior's target
    feed: Feed
    hparams: HParams
    make_optimizer: Callable[..., Optimizer]
    offload_activations: bool
    seed: int
