"""What generates pictures at some steps of a training."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl


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
