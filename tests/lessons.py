"""A run's training module without a trainer, and what a training saw."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from safetensors.torch import load_file
from torch import Tensor

from imprint.objectives.noise_prediction import NoisePrediction
from imprint.planning.assemble import assemble
from imprint.planning.prepare import prepare
from imprint.runs import Run
from imprint.training.callbacks import AverageUpdate
from imprint.training.module import TrainingModule
from imprint.types import Batch

CPU = torch.device("cpu")


def assembled(cfg: DictConfig) -> TrainingModule:
    """What `imprint train` would hand to the trainer."""
    return assemble(prepare(cfg))


def batches(module: TrainingModule) -> Iterator[Batch]:
    """What it would be fed with by a single process."""
    alone = SimpleNamespace(global_step=0, world_size=1, global_rank=0)
    yield from module.task.feed.loader(module.model, module.latents, trainer=alone, device=CPU)


def gradients(module: TrainingModule, batch: Batch) -> list[Tensor]:
    return list(torch.autograd.grad(module.losses(batch).total, module.trained()))


class Watch:
    """What the trainings of a test saw: every batch, and every sample's timestep and noise by its id."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.batches: list[Batch] = []
        self.timesteps: dict[str, int] = {}
        self.noise: dict[str, Tensor] = {}
        losses, timesteps, noise = TrainingModule.losses, NoisePrediction.sample_timesteps, NoisePrediction.sample_noise

        def watched_losses(module: TrainingModule, batch: Batch) -> Any:
            self.batches.append(batch)
            return losses(module, batch)

        def watched_timesteps(objective: NoisePrediction, seed: int, ids: list[str], *more: Any) -> Tensor:
            drawn = timesteps(objective, seed, ids, *more)
            self.timesteps.update(zip(ids, drawn.tolist(), strict=True))
            return drawn

        def watched_noise(objective: NoisePrediction, seed: int, ids: list[str], shape: Any) -> Tensor:
            drawn = noise(objective, seed, ids, shape)
            self.noise.update(zip(ids, drawn, strict=True))
            return drawn

        patch.setattr(TrainingModule, "losses", watched_losses)
        patch.setattr(NoisePrediction, "sample_timesteps", watched_timesteps)
        patch.setattr(NoisePrediction, "sample_noise", watched_noise)

    def samples(self, *, prior: bool) -> list[tuple[str, str, str]]:
        """(id, key, caption) of every sample that was seen."""
        return [
            (id_, key, caption)
            for batch in self.batches
            for id_, key, caption, is_prior in zip(
                batch.ids, batch.keys, batch.captions, batch.prior_mask(CPU).tolist(), strict=True
            )
            if is_prior == prior
        ]


def after_every_step(patch: pytest.MonkeyPatch, look: Callable[[Any, TrainingModule], None]) -> None:
    """Calls `look(trainer, module)` after every update of the weights and of their average."""
    update = AverageUpdate.on_train_batch_end
    seen: set[tuple[int, int]] = set()

    def updated(self: AverageUpdate, trainer: Any, module: Any, *rest: Any) -> None:
        update(self, trainer, module, *rest)
        if (id(trainer), trainer.global_step) not in seen and trainer.global_step > 0:
            seen.add((id(trainer), trainer.global_step))
            look(trainer, module)

    patch.setattr(AverageUpdate, "on_train_batch_end", updated)


def result_weights(run: Run) -> dict[str, Tensor]:
    """Every weight of the saved result, by part and name."""
    return {
        f"{file.parent.name}.{name}": weight
        for file in sorted(run.result.glob("*/*.safetensors"))
        for name, weight in load_file(file).items()
    }
