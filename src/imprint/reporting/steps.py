"""What happened in each optimiser step, told to whoever listens, without making the device wait."""

import logging
import math
from collections.abc import Sequence
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from imprint.reporting.local import LocalLogger
from imprint.reporting.tracking.tracker import Tracker

log = logging.getLogger(__name__)


class Listener(Protocol):
    def log_metrics(self, metrics: dict[str, float], step: int) -> None: ...


class StepRecorder(pl.Callback):
    """Tells the listeners the losses and rates of every optimiser step, `every` steps at a time.

    Between tellings the values stay on the device. They are also told before every checkpoint, so that a
    checkpoint never knows more steps than the metrics file, and when training ends or fails.

    Step n is the state after n updates. The module keeps the step's losses in `last_losses`, a `Losses`.
    """

    def __init__(self, *, every: int, listeners: Sequence[Listener]) -> None:
        self._every = every
        self._listeners = listeners
        self._step = 0
        self._rates: dict[str, float] = {}
        self._waiting: list[tuple[int, Tensor, dict[str, float]]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._step = trainer.global_step
        for listener in self._listeners:
            if isinstance(listener, LocalLogger | Tracker):
                listener.rewind(self._step)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        # Read here, since the schedule has already moved on when the batch ends.
        for index, group in enumerate(optimizer.param_groups):
            self._rates[f"lr/{group.get('name', index)}"] = float(group["lr"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return  # gradients are still being accumulated
        self._step = trainer.global_step
        if not trainer.is_global_zero:
            return
        losses: Any = pl_module.last_losses
        values = torch.stack([losses.total, losses.instance, losses.prior]).detach()
        self._waiting.append((self._step, values, dict(self._rates)))
        if self._step % self._every == 0:
            self.flush()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.flush()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.flush()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        try:
            self.flush()
        except Exception as error:  # a full disk, a lost device: it must not hide the exception that came first
            log.warning("The metrics of the last steps are lost: %s", error)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        # The one moment that waits for the device.
        rows = torch.stack([values for _, values, _ in waiting]).tolist()
        for (step, _, rates), (total, instance, prior) in zip(waiting, rows, strict=True):
            parts = {"loss/instance": instance, "loss/prior": prior}
            # A part without samples has no mean.
            metrics = {
                "loss": total,
                **{name: value for name, value in parts.items() if not math.isnan(value)},
                **rates,
            }
            for listener in self._listeners:
                listener.log_metrics(metrics, step)
