"""What generates pictures at some steps of a training, without changing the training."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from imprint.libraries.lightning import precision_of


class StepCallback(pl.Callback, ABC):
    """Calls `act`, on every process, after each optimiser step for which `due(step, total)` holds: at the start and at
    the end too, and once each."""

    def __init__(self, due: Callable[[int, int], bool]) -> None:
        self._due = due
        self._step = 0

    @abstractmethod
    def act(self, trainer: pl.Trainer, module: Any) -> None:
        """At the step `self._step`."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Where a resumed run was interrupted, perhaps before it had acted.
        self._act_if_due(trainer, pl_module, total=trainer.max_steps)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > self._step:
            self._act_if_due(trainer, pl_module, total=trainer.max_steps)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Training may end before `max_steps`; and a run resumed at its last step passes no other hook.
        self._act_if_due(trainer, pl_module, total=trainer.global_step)

    def _act_if_due(self, trainer: pl.Trainer, module: pl.LightningModule, *, total: int) -> None:
        self._step = trainer.global_step
        if self._due(self._step, total):
            self.act(trainer, module)


@contextmanager
def generation(trainer: pl.Trainer, module: Any) -> Iterator[None]:
    """Within, the module's model generates, with the averaged weights and in the precision of a training step."""
    with undisturbed(module, trainer.strategy.root_device), module.generating(), precision_of(trainer):
        yield


@contextmanager
def undisturbed(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every part is in its own mode, and the RNG state is as before."""
    modes = {part: part.training for part in module.modules()}
    cuda = [device] if device.type == "cuda" else []
    module.eval()
    try:
        with torch.random.fork_rng(devices=cuda), torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode
